using System.Collections.Immutable;
using Rocm.Inference.Native.Hip;

namespace Rocm.Inference.Native.Aiter;

/// <summary>
/// Gated experts with SiLU in one kernel: both products of fp8 with scales of blocks, what lies between them rounded to fp8 (AITER's binary interface,
/// section 8.2). A block of 256 threads takes a tile of rows of one expert and a tile of the inner width. Grid: (tiles of the inner width, tiles of rows).
/// </summary>
internal sealed class AiterFusedExperts
{
    internal const int BlockThreads = 256;
    private const int MaxGridY = 65535;
    private const int MaxTokens = (1 << 24) - 1;
    private const int Block = AiterScaledWeight.Block;

    // Outputs are written 256 at a time, those past the end, too; weights of two such tiles are read before it is looked whether there is a second; and of kernels for
    // a tile of 256 columns results are wrong where tiles of outputs are an odd number.
    private const int TileWidth = 512;

    // The kernels add 32-bit offsets to the addresses of weights, inputs and outputs.
    private const long OffsetLimit = 1L << 32;

    private readonly ImmutableArray<(AiterKernel Kernel, AiterFusedExpertsRow Row)> _kernels;
    private readonly AiterFusedExpertsShape _shape;
    private readonly int _computeUnits;

    private AiterFusedExperts(ImmutableArray<(AiterKernel Kernel, AiterFusedExpertsRow Row)> kernels, in AiterFusedExpertsShape shape, int computeUnits) =>
        (_kernels, _shape, _computeUnits) = (kernels, shape, computeUnits);

    /// <summary>Rows of a tile, a multiple of which every expert's sorted rows end at.</summary>
    internal int TileRows => _kernels[0].Row.TileRows;

    /// <summary>What tells the kernels from others.</summary>
    internal string Fingerprint => string.Join(' ', _kernels.Select(kernel => kernel.Kernel.Fingerprint));

    /// <summary>Layouts that serve.</summary>
    internal static ReadOnlySpan<AiterArgumentLayout> Layouts => [AiterArgumentLayout.FusedExperts];

    /// <summary>Why no kernel serves a shape, a sentence each; whether there is a file is another question.</summary>
    internal static ImmutableArray<string> Refusals(in AiterFusedExpertsShape shape)
    {
        var reasons = new AiterReasons();
        reasons.Require(
            shape.Width > 0 && shape.Inner > 0 && shape.Width % TileWidth == 0 && shape.Inner % Block == 0,
            $"Experts have a multiple of {TileWidth} inputs and of {Block} columns between their products, not {shape.Width} and {shape.Inner}.");
        reasons.Require(shape.Choices is >= 1 and <= byte.MaxValue, $"A token has 1 to {byte.MaxValue} experts, not {shape.Choices}.");
        long expert = (long)shape.Width * shape.Inner * 2;
        reasons.Require(expert < 1L << 31, $"An expert has less than {1L << 31} elements, not {expert}.");
        reasons.Require(shape.Experts * expert <= OffsetLimit, $"Gate and up of all experts are at most {OffsetLimit} bytes, not {shape.Experts * expert}.");
        return reasons.ToImmutable();
    }

    /// <summary>Finds, verifies and loads the kernels for a shape: those whose tiles have fewest rows, of every width that divides the inner width.</summary>
    /// <param name="library">The device's kernels.</param>
    /// <param name="shape">What they are for.</param>
    /// <param name="computeUnits">What tiles are chosen for.</param>
    /// <param name="reasons">Why there are none, a sentence each.</param>
    /// <returns>Null with reasons.</returns>
    internal static AiterFusedExperts? TryCreate(AiterKernelLibrary library, in AiterFusedExpertsShape shape, int computeUnits, out ImmutableArray<string> reasons)
    {
        reasons = Refusals(shape);
        if (!reasons.IsEmpty) return null;
        int inner = shape.Inner;
        var kernels = ImmutableArray.CreateBuilder<(AiterKernel Kernel, AiterFusedExpertsRow Row)>();
        var refused = new AiterReasons();
        foreach (AiterFusedExpertsRow row in library.Kernels.FusedExperts.Where(row => row is { Persistent: false, Flat: 0, SkipsVectorInstructions: false } && inner % row.TileInner == 0)
                     .OrderBy(row => row.TileRows).ThenByDescending(row => row.TileInner).ThenBy(row => row.Object.Line))
        {
            if (kernels.Count > 0 && (row.TileRows != kernels[0].Row.TileRows || row.TileInner == kernels[^1].Row.TileInner)) continue;
            if (library.Load(AiterFamily.FusedExperts, row.Object, Layouts, BlockThreads, out string reason) is { } kernel) kernels.Add((kernel, row));
            else refused.Add(reason);
        }

        if (kernels.Count > 0) return new AiterFusedExperts(kernels.ToImmutable(), shape, computeUnits);
        reasons = refused.ToImmutable();
        if (reasons.IsEmpty) reasons = [$"No kernel for fp8 experts of an inner width of {inner} is listed."];
        return null;
    }

    /// <summary>The symbol of the kernel for a number of tiles of rows.</summary>
    internal string SymbolFor(int tiles) => Serving(tiles).Kernel.Symbol;

    /// <summary>A launch may have so many tokens and tiles.</summary>
    internal bool Takes(int tokens, int tiles) => tokens is > 0 and <= MaxTokens && tiles is > 0 and <= MaxGridY && tokens * (_shape.Width * 2L) < OffsetLimit;

    /// <summary>Enqueues one launch. Allocates nothing.</summary>
    /// <exception cref="HipException">The launch failed.</exception>
    /// <exception cref="ArgumentException">An address is not aligned, or there are too many tiles or tokens.</exception>
    internal void Launch(HipStream stream, in AiterFusedExpertsArguments arguments)
    {
        if (!Takes(arguments.Tokens, arguments.Tiles))
        {
            throw new ArgumentException(
                $"1 to {Math.Min(MaxTokens, (OffsetLimit - 1) / (_shape.Width * 2L))} tokens and 1 to {MaxGridY} tiles are expected, not {arguments.Tokens} and {arguments.Tiles}.", nameof(arguments));
        }

        AiterAlignment.Check(
            arguments.Output | arguments.Input | arguments.GateUp | arguments.Down | arguments.InputScales | arguments.GateUpScales | arguments.DownScales, "an operand");
        (AiterKernel kernel, AiterFusedExpertsRow row) = Serving(arguments.Tiles);
        Span<byte> kernarg = stackalloc byte[AiterKernelCheck.MaxKernargBytes];
        Pack(kernarg, _shape, row.TileInner, arguments);
        kernel.Launch(stream, GridOf(_shape, row.TileInner, arguments), kernarg);
    }

    internal static HipDim3 GridOf(in AiterFusedExpertsShape shape, int tileInner, in AiterFusedExpertsArguments arguments) =>
        new((uint)(shape.Inner / tileInner), (uint)arguments.Tiles);

    /// <summary>Lays the arguments out, section 8.2. Strides are bytes; an element of fp8 is one.</summary>
    internal static void Pack(Span<byte> kernarg, in AiterFusedExpertsShape shape, int tileInner, in AiterFusedExpertsArguments arguments)
    {
        int scales = shape.Width / Block * (shape.Inner / Block) * sizeof(float);
        var slots = new KernargSlots(kernarg);
        slots.Set(0x00, arguments.Output);
        slots.Set(0x10, arguments.Input);
        slots.Set(0x20, arguments.GateUp);
        slots.Set(0x30, arguments.RowCount);
        slots.Set(0x40, arguments.Down);
        slots.Set(0x50, arguments.InputScales);
        slots.Set(0x60, arguments.GateUpScales);
        slots.Set(0x70, arguments.DownScales);
        slots.Set(0x90, arguments.SortedRows);
        slots.Set(0xa0, arguments.SortedWeights);
        slots.Set(0xb0, arguments.TileExperts);
        slots.Set(0xc0, shape.Width);
        slots.Set(0xd0, shape.Inner);
        slots.Set(0xe0, arguments.Tokens);
        slots.Set(0xf0, shape.Experts);
        slots.Set(0x100, shape.Width);
        slots.Set(0x110, shape.Width);
        slots.Set(0x120, shape.Inner);
        slots.Set(0x130, shape.Width * 2);
        slots.Set(0x140, shape.Width * shape.Inner * 2);
        slots.Set(0x150, shape.Width * shape.Inner);
        slots.Set(0x160, scales * 2);
        slots.Set(0x170, scales);
        slots.Set(0x180, shape.Inner * sizeof(float));
        slots.Set(0x190, shape.Choices);
        slots.Set(0x1a0, 0); // blocks of a persistent grid
        slots.Set(0x1b0, shape.Inner / tileInner);
    }

    /// <summary>
    /// Of how many rounds over the device's compute units a grid is, decides on the tile, then how few of them idle in the last: few tiles of rows want
    /// narrow tiles of the inner width.
    /// </summary>
    /// <param name="inner">Inner width.</param>
    /// <param name="tileInner">Of a tile.</param>
    /// <param name="tiles">Tiles of rows.</param>
    /// <param name="computeUnits">Of the device.</param>
    internal static (long Rounds, long Idle) CostOf(int inner, int tileInner, int tiles, int computeUnits)
    {
        long groups = inner / tileInner * (long)tiles, rounds = (groups + computeUnits - 1) / computeUnits;
        return (rounds, (rounds * computeUnits) - groups);
    }

    private (AiterKernel Kernel, AiterFusedExpertsRow Row) Serving(int tiles)
    {
        int chosen = 0;
        for (int i = 1; i < _kernels.Length; i++)
        {
            if (CostOf(_shape.Inner, _kernels[i].Row.TileInner, tiles, _computeUnits).CompareTo(CostOf(_shape.Inner, _kernels[chosen].Row.TileInner, tiles, _computeUnits)) < 0) chosen = i;
        }

        return _kernels[chosen];
    }
}

/// <summary>What decides which kernels fit.</summary>
/// <param name="Experts">Experts in all.</param>
/// <param name="Choices">Experts of a token.</param>
/// <param name="Width">Inputs and outputs.</param>
/// <param name="Inner">Width between the two products.</param>
internal readonly record struct AiterFusedExpertsShape(int Experts, int Choices, int Width, int Inner);
