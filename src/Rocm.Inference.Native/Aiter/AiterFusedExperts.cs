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
    private const int Block = AiterScaledWeight.Block;

    private readonly AiterKernel _kernel;
    private readonly AiterFusedExpertsRow _row;
    private readonly AiterFusedExpertsShape _shape;

    private AiterFusedExperts(AiterKernel kernel, AiterFusedExpertsRow row, in AiterFusedExpertsShape shape) => (_kernel, _row, _shape) = (kernel, row, shape);

    internal string Symbol => _kernel.Symbol;

    /// <summary>Rows of a tile, a multiple of which every expert's sorted rows end at.</summary>
    internal int TileRows => _row.TileRows;

    /// <summary>Layouts that serve.</summary>
    internal static ReadOnlySpan<AiterArgumentLayout> Layouts => [AiterArgumentLayout.FusedExperts];

    /// <summary>Why no kernel serves a shape, a sentence each; whether there is a file is another question.</summary>
    internal static ImmutableArray<string> Refusals(in AiterFusedExpertsShape shape)
    {
        var reasons = new AiterReasons();
        reasons.Require(
            shape.Width > 0 && shape.Inner > 0 && shape.Width % Block == 0 && shape.Inner % Block == 0,
            $"Both widths are multiples of {Block}, not {shape.Width} and {shape.Inner}.");
        reasons.Require(shape.Choices is >= 1 and <= byte.MaxValue, $"A token has 1 to {byte.MaxValue} experts, not {shape.Choices}.");
        reasons.Require((long)shape.Width * shape.Inner * 2 < 1L << 31, $"An expert has less than {1L << 31} elements, not {(long)shape.Width * shape.Inner * 2}.");
        return reasons.ToImmutable();
    }

    /// <summary>Finds, verifies and loads the kernel for a shape: the widest tile that divides the inner width.</summary>
    /// <returns>Null with reasons, a sentence each.</returns>
    internal static AiterFusedExperts? TryCreate(AiterKernelLibrary library, in AiterFusedExpertsShape shape, out ImmutableArray<string> reasons)
    {
        reasons = Refusals(shape);
        if (!reasons.IsEmpty) return null;
        int inner = shape.Inner;
        var refused = new AiterReasons();
        foreach (AiterFusedExpertsRow row in library.Kernels.FusedExperts.Where(row => row is { Persistent: false, Flat: 0, SkipsVectorInstructions: false } && inner % row.TileInner == 0)
                     .OrderBy(row => row.TileRows).ThenByDescending(row => row.TileInner).ThenBy(row => row.Object.Line))
        {
            if (library.Load(AiterFamily.FusedExperts, row.Object, Layouts, BlockThreads, out string reason) is { } kernel) return new AiterFusedExperts(kernel, row, shape);
            refused.Add(reason);
        }

        reasons = refused.ToImmutable();
        if (reasons.IsEmpty) reasons = [$"No kernel for fp8 experts of an inner width of {inner} is listed."];
        return null;
    }

    /// <summary>Enqueues one launch. Allocates nothing.</summary>
    /// <exception cref="HipException">The launch failed.</exception>
    /// <exception cref="ArgumentException">An address is not aligned, or there are too many tiles or tokens.</exception>
    internal void Launch(HipStream stream, in AiterFusedExpertsArguments arguments)
    {
        if (arguments.Tiles is <= 0 or > MaxGridY) throw new ArgumentException($"1 to {MaxGridY} tiles are expected, not {arguments.Tiles}.", nameof(arguments));
        if (arguments.Tokens is <= 0 or >= 1 << 24) throw new ArgumentException($"1 to {(1 << 24) - 1} tokens are expected, not {arguments.Tokens}.", nameof(arguments));
        AiterAlignment.Check(
            arguments.Output | arguments.Input | arguments.GateUp | arguments.Down | arguments.InputScales | arguments.GateUpScales | arguments.DownScales, "an operand");
        Span<byte> kernarg = stackalloc byte[AiterKernelCheck.MaxKernargBytes];
        Pack(kernarg, _shape, _row.TileInner, arguments);
        _kernel.Launch(stream, GridOf(_shape, _row.TileInner, arguments), kernarg);
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
}

/// <summary>What decides which kernel fits.</summary>
/// <param name="Experts">Experts in all.</param>
/// <param name="Choices">Experts of a token.</param>
/// <param name="Width">Inputs and outputs.</param>
/// <param name="Inner">Width between the two products.</param>
internal readonly record struct AiterFusedExpertsShape(int Experts, int Choices, int Width, int Inner);
