using System.Collections.Immutable;
using Rocm.Inference.Native.Hip;

namespace Rocm.Inference.Native.Aiter;

/// <summary>
/// pa_fwd: attention of one to four query tokens a sequence over a shuffled paged cache (AITER's binary interface, section 3). One block of 256 threads works
/// on one sequence and KV head with all of its query heads, in steps of 256 tokens; the context is not split. Grid: (kv heads, sequences).
/// What lies in the slots of a block that no token has is multiplied by zero: values there, and scales of fp8 caches, must be finite.
/// </summary>
internal sealed class AiterPagedDecode
{
    private const int HeadDim = 128;
    internal const int BlockThreads = 256;
    private const int MaxGqa = 16;
    private const int MaxQueryLength = 4;
    private const int WideGqa = 16;
    private const int MaxQueryLengthOfWide = 2;
    private const int SmallBlock = 16;
    private const int KvTile = 256;
    private const int MaxGridY = 65535;
    private const int ByQueryOffsets = 1;
    private const int FixedQueryLength = 10;
    private const long PoolLimit = 1L << 32;
    private const double Log2E = 1.4426950408889634;

    private readonly AiterKernel _kernel;
    private readonly AiterPagedRow _row;
    private readonly AiterPagedShape _shape;

    private AiterPagedDecode(AiterKernel kernel, AiterPagedRow row, in AiterPagedShape shape) => (_kernel, _row, _shape) = (kernel, row, shape);

    internal string Symbol => _kernel.Symbol;

    /// <summary>See <see cref="AiterKernel.Fingerprint"/>.</summary>
    internal string Fingerprint => _kernel.Fingerprint;

    /// <summary>The launch needs <see cref="AiterPagedArguments.QueryOffsets"/>.</summary>
    internal bool NeedsQueryOffsets => _row.Mtp == ByQueryOffsets;

    /// <summary>
    /// Some contexts come out wrong, see <see cref="IsWrong"/>: those sequences belong to another kernel. Kernels for blocks of 16 enter their loop over
    /// tiles when 16 blocks are there, not when a whole tile is, and then add the tile twice, once without a mask.
    /// </summary>
    internal bool HasWrongContexts => _row.BlockSize == SmallBlock;

    /// <summary>A sequence that comes out wrong: one query token and a context of 241 to 255. Found by execution, in all such kernels of AITER 0.1.20.</summary>
    internal bool IsWrong(int contextLength, int queryLength) =>
        HasWrongContexts && queryLength == 1 && contextLength is > KvTile - SmallBlock and < KvTile;

    /// <summary>Why no kernel serves a shape, a sentence each; whether there is a file is another question.</summary>
    internal static ImmutableArray<string> Refusals(in AiterPagedShape shape)
    {
        var reasons = new AiterReasons();
        reasons.Require(shape.HeadDim == HeadDim, $"The head dimension is {HeadDim}, not {shape.HeadDim}.");
        reasons.Require(shape.Query is AiterDType.Bf16 or AiterDType.Fp16, $"Queries are bf16 or fp16, not {shape.Query}.");
        reasons.Require(
            shape.Cache == shape.Query || shape.Cache is AiterDType.Fp8 or AiterDType.Int8,
            $"The cache has the type of the queries, fp8 or int8, not {shape.Cache} beside {shape.Query}.");
        reasons.Require(
            shape.KvHeads > 0 && shape.Heads > 0 && shape.Heads % Math.Max(shape.KvHeads, 1) == 0,
            $"The number of query heads is a multiple of that of KV heads, not {shape.Heads} beside {shape.KvHeads}.");
        reasons.Require(shape.Gqa <= MaxGqa, $"A KV head has {MaxGqa} query heads at most, not {shape.Gqa}.");
        reasons.Require(shape.MaxQueryLength is >= 1 and <= MaxQueryLength, $"A sequence has 1 to {MaxQueryLength} query tokens, not {shape.MaxQueryLength}.");
        reasons.RequireNone(shape.Features);
        return reasons.ToImmutable();
    }

    /// <summary>Finds, verifies and loads the kernel for a shape.</summary>
    /// <param name="library">The device's kernels.</param>
    /// <param name="shape">What it is for.</param>
    /// <param name="reasons">Why there is none, a sentence each.</param>
    /// <returns>Null with reasons.</returns>
    internal static AiterPagedDecode? TryCreate(AiterKernelLibrary library, in AiterPagedShape shape, out ImmutableArray<string> reasons)
    {
        reasons = Refusals(shape);
        if (!reasons.IsEmpty) return null;
        var refused = new AiterReasons();
        foreach (AiterPagedRow row in Candidates(library.Kernels, shape))
        {
            if (Load(library, row, shape, out string reason) is { } decode) return decode;
            refused.Add(reason);
        }

        reasons = refused.ToImmutable();
        if (reasons.IsEmpty)
            reasons = [$"No kernel for {shape.Gqa} {shape.Query} query heads a KV head, {shape.MaxQueryLength} query tokens and {shape.Cache} blocks of {shape.BlockSize} is listed."];
        return null;
    }

    /// <summary>Verifies and loads the kernel of one row.</summary>
    /// <returns>Null with a reason.</returns>
    internal static AiterPagedDecode? Load(AiterKernelLibrary library, AiterPagedRow row, in AiterPagedShape shape, out string reason)
    {
        reason = PoolRefusal(row, shape);
        if (reason.Length > 0) return null;
        AiterKernel? kernel = library.Load(AiterFamily.PagedAttention, row.Object, LayoutsFor(row), BlockThreads, out reason);
        return kernel is null ? null : new AiterPagedDecode(kernel, row, shape);
    }

    /// <summary>The kernels of a set that do what is asked for, the best first.</summary>
    internal static IEnumerable<AiterPagedRow> Candidates(AiterKernelSet kernels, AiterPagedShape shape)
    {
        int gqa = shape.Gqa, rounded = (gqa + 7) / 8 * 8, length = shape.MaxQueryLength;
        return kernels.Paged
            .Where(row => !row.Persistent && row is { QueryTile: 0, QuantType: 0 } && row.Query == shape.Query && row.Cache == shape.Cache)
            .Where(row => row.BlockSize == shape.BlockSize && (row.Gqa == gqa || row.Gqa == rounded))
            .Where(row => length == 1 ? row is { Mtp: 0, Causal: false } or { Mtp: ByQueryOffsets, Causal: true }
                : row.Causal && (row.Mtp == ByQueryOffsets || row.Mtp == length + FixedQueryLength))
            // Kernels for 16 heads a KV head write no number at all from 3 tokens on.
            .Where(row => row.Mtp != ByQueryOffsets || row.Gqa < WideGqa || length <= MaxQueryLengthOfWide)
            // Rows with one key differ in the precision of probabilities over fp8 values, and AITER leaves open which it takes. The error is 2.6 % of the output
            // at 0, that but in the last tile at 1, and 0.7 % at 2.
            .OrderBy(row => row.Mtp == 0 ? 0 : row.Mtp == ByQueryOffsets ? 2 : 1).ThenBy(row => row.Gqa == gqa ? 0 : 1)
            .ThenByDescending(row => row.Precision).ThenBy(row => row.Object.Line);
    }

    /// <summary>Enqueues one launch. Allocates nothing.</summary>
    /// <exception cref="HipException">The launch failed.</exception>
    /// <exception cref="ArgumentException">An address or a stride is not aligned, or there are too many sequences.</exception>
    internal void Launch(HipStream stream, in AiterPagedArguments arguments)
    {
        if (arguments.Sequences is <= 0 or > MaxGridY) throw new ArgumentException($"1 to {MaxGridY} sequences are expected, not {arguments.Sequences}.", nameof(arguments));
        AiterAlignment.Check(arguments.Output | arguments.Query | arguments.Keys | arguments.Values, "output, query, keys or values");
        AiterAlignment.Check(arguments.QueryRowBytes | arguments.BlockBytes | arguments.HeadBytes, "a stride of queries or cache");
        if (NeedsQueryOffsets && arguments.QueryOffsets == 0) throw new ArgumentException($"{Symbol} needs the query offsets.", nameof(arguments));
        Span<byte> kernarg = stackalloc byte[AiterKernelCheck.MaxKernargBytes];
        Pack(kernarg, _kernel.Layout, _shape, arguments);
        _kernel.Launch(stream, GridOf(_shape, arguments), kernarg);
    }

    internal static HipDim3 GridOf(in AiterPagedShape shape, in AiterPagedArguments arguments) => new((uint)shape.KvHeads, (uint)arguments.Sequences);

    /// <summary>Lays the arguments out, section 3.1.</summary>
    internal static void Pack(Span<byte> kernarg, AiterArgumentLayout layout, in AiterPagedShape shape, in AiterPagedArguments arguments)
    {
        var slots = new KernargSlots(kernarg);
        slots.Set(0x00, arguments.Output);
        slots.Set(0x10, arguments.Query);
        slots.Set(0x20, arguments.Keys);
        slots.Set(0x30, arguments.Values);
        slots.Set(0x40, arguments.BlockTable);
        slots.Set(0x50, arguments.ContextLengths);
        slots.Set(0x60, arguments.KeyScales);
        slots.Set(0x70, arguments.ValueScales);
        slots.Set(0x80, (float)(arguments.Scale * Log2E));
        slots.Set(0x90, arguments.BlockTableStride);
        slots.Set(0xa0, shape.KvHeads);
        slots.Set(0xb0, arguments.QueryRowBytes);
        slots.Set(0xc0, arguments.BlockBytes);
        slots.Set(0xd0, arguments.HeadBytes);
        if (layout is AiterArgumentLayout.LegacyPagedWithGqa or AiterArgumentLayout.LegacyPagedWithQueryOffsets)
        {
            slots.Set(0xe0, shape.Gqa);
            slots.Set(0xf0, arguments.QueryOffsets);
            return;
        }

        slots.Set(0xe0, shape.MaxQueryLength - 1);
        slots.Set(0xf0, shape.Gqa);
        slots.Set(0x100, arguments.QueryOffsets);
    }

    /// <summary>Layouts that serve a row.</summary>
    internal static ReadOnlySpan<AiterArgumentLayout> LayoutsFor(AiterPagedRow row) => row.Mtp == ByQueryOffsets
        ? [AiterArgumentLayout.PagedWithQueryOffsets, AiterArgumentLayout.LegacyPagedWithQueryOffsets]
        : [
            AiterArgumentLayout.PagedWithQueryOffsets, AiterArgumentLayout.PagedWithGqa, AiterArgumentLayout.Paged,
            AiterArgumentLayout.LegacyPagedWithQueryOffsets, AiterArgumentLayout.LegacyPagedWithGqa,
        ];

    // Kernels for one token without quantization multiply block and stride in 32 bits.
    private static string PoolRefusal(AiterPagedRow row, in AiterPagedShape shape) => row.Mtp == 0 && row.Query == row.Cache && shape.PoolBytes > PoolLimit
        ? $"{row.Object.Symbol} addresses {PoolLimit} bytes of keys or values; the cache has {shape.PoolBytes}."
        : "";
}
