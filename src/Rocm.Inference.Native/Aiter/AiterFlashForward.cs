using System.Collections.Immutable;
using Rocm.Inference.Native.Hip;

namespace Rocm.Inference.Native.Aiter;

/// <summary>
/// fmha v3: attention over contiguous keys and values, of a batch or of sequences with different lengths (AITER's binary interface, section 7). Rows without a
/// visible key are zero. Blocks of 512 threads work on 256 query rows of one head, with a query dimension of 192 blocks of 256 on 128 rows.
/// </summary>
internal sealed class AiterFlashForward
{
    private const string Gfx942 = "gfx942";
    private const int LongSequence = 16384;

    private readonly AiterKernel _kernel;
    private readonly AiterFlashRow _row;
    private readonly AiterFlashShape _shape;
    private readonly bool _narrow;

    private AiterFlashForward(AiterKernel kernel, AiterFlashRow row, in AiterFlashShape shape, string target) =>
        (_kernel, _row, _shape, _narrow) = (kernel, row, shape, IsNarrow(shape, target));

    internal string Symbol => _kernel.Symbol;

    /// <summary>See <see cref="AiterKernel.Fingerprint"/>.</summary>
    internal string Fingerprint => _kernel.Fingerprint;

    /// <summary>
    /// The scales of queries and keys belong into <see cref="AiterFlashArguments.Scale"/>, and ones into their places: masked fp8 kernels of gfx942 multiply
    /// by them once more for the second tile of a block. Found by execution, in AITER 0.1.20.
    /// </summary>
    internal bool WantsScalesInFactor => _shape is { Input: AiterDType.Fp8, Causal: true };

    /// <summary>Why no kernel serves a shape, a sentence each; whether there is a file is another question.</summary>
    internal static ImmutableArray<string> Refusals(in AiterFlashShape shape)
    {
        var reasons = new AiterReasons();
        reasons.Require(shape.Input is AiterDType.Bf16 or AiterDType.Fp8, $"Queries, keys and values are bf16 or fp8, not {shape.Input}.");
        reasons.Require(
            shape is { ValueDim: 128, QueryDim: 128 or 192 }, $"The head dimensions are 128 and 128, or 192 and 128, not {shape.QueryDim} and {shape.ValueDim}.");
        reasons.Require(
            shape.KvHeads > 0 && shape.Heads > 0 && shape.Heads % Math.Max(shape.KvHeads, 1) == 0,
            $"The number of query heads is a multiple of that of KV heads, not {shape.Heads} beside {shape.KvHeads}.");
        reasons.Require(
            shape.Input != AiterDType.Fp8 || shape.Gqa is 1 or 2 or 4 or 8 or 16, $"With fp8 a KV head has 1, 2, 4, 8 or 16 query heads, not {shape.Gqa}.");
        reasons.RequireNone(shape.Features);
        return reasons.ToImmutable();
    }

    /// <summary>Finds, verifies and loads the kernel for a shape.</summary>
    /// <returns>Null with reasons, a sentence each.</returns>
    internal static AiterFlashForward? TryCreate(AiterKernelLibrary library, in AiterFlashShape shape, out ImmutableArray<string> reasons)
    {
        reasons = Refusals(shape);
        if (!reasons.IsEmpty) return null;
        string target = library.Kernels.Target;
        var refused = new AiterReasons();
        foreach (AiterFlashRow row in Candidates(library.Kernels, shape))
        {
            if (library.Load(AiterFamily.FlashForward, row.Object, LayoutsFor(row), BlockThreads(row.QueryDim), out string reason) is { } kernel)
                return new AiterFlashForward(kernel, row, shape, target);
            refused.Add(reason);
        }

        reasons = refused.ToImmutable();
        if (reasons.IsEmpty)
            reasons = [$"No kernel is listed for {shape.Input} heads of {shape.QueryDim} and {shape.ValueDim}, {(shape.Causal ? "causal" : "not masked")}, {(shape.Varlen ? "varlen" : "batch")}."];
        return null;
    }

    /// <summary>The kernels of a set that do what is asked for, the best first.</summary>
    internal static IEnumerable<AiterFlashRow> Candidates(AiterKernelSet kernels, AiterFlashShape shape) => kernels.Flash
        .Where(row => row.Input == shape.Input && row.QueryDim == shape.QueryDim && row.ValueDim == shape.ValueDim)
        .Where(row => row.Causal == shape.Causal && row.Group == shape.Varlen)
        // gfx950 rounds in one way whatever the column says, and so do fp8 kernels.
        .Where(row => kernels.Target != Gfx942 || shape.Input == AiterDType.Fp8 || row.Rounding == shape.Rounding)
        .OrderBy(row => row.Object.Line);

    /// <summary>Enqueues one launch. Allocates nothing. Sequences without keys are the caller's to leave out: their output is zero.</summary>
    /// <exception cref="HipException">The launch failed.</exception>
    /// <exception cref="ArgumentException">An address or a stride is not aligned, offsets are missing, or the grid is too large.</exception>
    internal void Launch(HipStream stream, in AiterFlashArguments arguments)
    {
        if (arguments.Sequences is <= 0 or > 65535 || arguments.MaxQueryLength <= 0)
            throw new ArgumentException($"1 to 65535 sequences with queries are expected, not {arguments.Sequences} of up to {arguments.MaxQueryLength}.", nameof(arguments));
        if (_shape.Varlen == (arguments.QueryOffsets == 0) || _shape.Varlen == (arguments.KeyOffsets == 0))
            throw new ArgumentException("Offsets belong to sequences of different lengths, and to no batch.", nameof(arguments));
        AiterAlignment.Check(arguments.Output | arguments.Query | arguments.Key | arguments.Value, "output, query, key or value");
        AiterAlignment.Check(
            arguments.QueryStrides.Row | arguments.QueryStrides.Head | arguments.KeyStrides.Row | arguments.KeyStrides.Head | arguments.ValueStrides.Row |
            arguments.ValueStrides.Head | arguments.OutputStrides.Row | arguments.OutputStrides.Head, "a stride of rows or heads");
        Span<byte> kernarg = stackalloc byte[AiterKernelCheck.MaxKernargBytes];
        Pack(kernarg, _shape, _row.QueryTile, _narrow, arguments);
        _kernel.Launch(stream, GridOf(_shape, _row.QueryTile, _narrow, arguments), kernarg);
    }

    internal static HipDim3 GridOf(in AiterFlashShape shape, int queryTile, bool narrow, in AiterFlashArguments arguments)
    {
        uint tiles = (uint)((arguments.MaxQueryLength + queryTile - 1) / queryTile), heads = (uint)shape.Heads, sequences = (uint)arguments.Sequences;
        // A block of a masked kernel takes a tile from either end, so that all have as much to do.
        uint halved = shape.Causal ? (tiles + 1) / 2 : tiles;
        if (shape.Varlen) return new HipDim3(heads, sequences, narrow ? tiles : halved);
        return narrow ? new HipDim3(heads, tiles, sequences) : new HipDim3(halved, heads, sequences);
    }

    /// <summary>Lays the arguments out, section 7.1. The length at 60 and the grid come from the same number: one kernel mirrors its tiles with it.</summary>
    internal static void Pack(Span<byte> kernarg, in AiterFlashShape shape, int queryTile, bool narrow, in AiterFlashArguments arguments)
    {
        var slots = new KernargSlots(kernarg);
        slots.Set(0x00, arguments.Output);
        slots.Set(0x10, arguments.Query);
        slots.Set(0x20, arguments.Key);
        slots.Set(0x30, arguments.Value);
        slots.Set(0x40, arguments.Lse);
        slots.Set(0x50, arguments.Scale);
        slots.Set(0x60, arguments.MaxQueryLength);
        slots.Set(0x70, arguments.QueryStrides.Row);
        slots.Set(0x80, queryTile * arguments.QueryStrides.Row);
        slots.Set(0x90, arguments.QueryStrides.Head);
        slots.Set(0xa0, arguments.QueryStrides.Batch);
        slots.Set(0xb0, shape.Gqa);
        slots.Set(0xc0, arguments.KeyStrides.Row);
        slots.Set(0xd0, arguments.KeyStrides.Head);
        slots.Set(0xe0, arguments.KeyStrides.Batch);
        slots.Set(0xf0, Tuning(shape, narrow, arguments.MaxQueryLength));
        slots.Set(0x100, arguments.Lse != 0 ? 1 : 0);
        slots.Set(0x110, arguments.KeyTokens);
        slots.Set(0x120, shape.QueryDim);
        slots.Set(0x130, shape.ValueDim);
        slots.Set(0x140, shape.Heads);
        slots.Set(0x150, arguments.ValueStrides.Row);
        slots.Set(0x160, arguments.ValueStrides.Head);
        slots.Set(0x170, arguments.ValueStrides.Batch);
        slots.Set(0x180, arguments.OutputStrides.Row);
        slots.Set(0x190, arguments.OutputStrides.Head);
        slots.Set(0x1a0, arguments.OutputStrides.Batch);
        slots.Set(0x1b0, arguments.QueryOffsets);
        slots.Set(0x1c0, arguments.KeyOffsets);
        slots.Set(0x1d0, arguments.QueryTokens * sizeof(float));
        slots.Set(0x1e0, arguments.QueryStarts != 0 ? arguments.QueryStarts : arguments.QueryOffsets);
        slots.Set(0x1f0, arguments.KeyStarts != 0 ? arguments.KeyStarts : arguments.KeyOffsets);
        slots.Set(0x200, arguments.QueryScale);
        slots.Set(0x210, arguments.KeyScale);
        slots.Set(0x220, arguments.ValueScale);
    }

    /// <summary>The kernels of gfx942 for queries of 192, which have a grid and a tuning word of their own.</summary>
    internal static bool IsNarrow(in AiterFlashShape shape, string target) => target == Gfx942 && shape.QueryDim == 192;

    internal static int BlockThreads(int queryDim) => queryDim == 192 ? 256 : 512;

    /// <summary>Layouts that serve a row.</summary>
    internal static ReadOnlySpan<AiterArgumentLayout> LayoutsFor(AiterFlashRow row) => row.Input == AiterDType.Fp8
        ? [AiterArgumentLayout.FlashWithDescale]
        : [AiterArgumentLayout.Flash, AiterArgumentLayout.FlashWithDescale];

    private static int Tuning(in AiterFlashShape shape, bool narrow, int queryLength) =>
        narrow ? 0 : shape.Causal && (shape.Heads % 8 != 0 || queryLength > LongSequence) ? 3 : 5;
}
