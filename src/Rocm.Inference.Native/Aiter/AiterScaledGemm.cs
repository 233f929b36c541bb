using System.Collections.Immutable;
using Rocm.Inference.Native.Hip;

namespace Rocm.Inference.Native.Aiter;

/// <summary>
/// Products of fp8 rows, scaled in groups of 128 inputs, with an fp8 weight that is scaled in blocks of 128 x 128 (AITER's binary interface, section 8.3).
/// A block of 256 threads works on a tile of the output; the tile is chosen by the number of rows. Grid: (columns of tiles, rows of tiles). Sums are float,
/// results are cut off to bf16, not rounded.
/// </summary>
internal sealed class AiterScaledGemm
{
    internal const int BlockThreads = 256;
    private const int MaxGridY = 65535;

    // The kernels address operands by 32-bit offsets whose top bit their buffer descriptors exclude.
    private const long MatrixLimit = 1L << 31;

    private readonly ImmutableArray<(AiterKernel Kernel, AiterScaledGemmRow Row)> _kernels;
    private readonly int[] _tileRows;
    private readonly int _outputs;
    private readonly int _inputs;
    private readonly int _computeUnits;

    private AiterScaledGemm(ImmutableArray<(AiterKernel Kernel, AiterScaledGemmRow Row)> kernels, int outputs, int inputs, int computeUnits)
    {
        (_kernels, _outputs, _inputs, _computeUnits) = (kernels, outputs, inputs, computeUnits);
        _tileRows = [.. kernels.Select(kernel => kernel.Row.TileRows)];
    }

    /// <summary>Layouts that serve.</summary>
    internal static ReadOnlySpan<AiterArgumentLayout> Layouts => [AiterArgumentLayout.ScaledGemm];

    /// <summary>Why no kernel serves a weight, a sentence each; whether there is a file is another question.</summary>
    internal static ImmutableArray<string> Refusals(int outputs, int inputs)
    {
        var reasons = new AiterReasons();
        reasons.Require(
            outputs > 0 && inputs > 0 && outputs % AiterScaledWeight.Block == 0 && inputs % AiterScaledWeight.Block == 0,
            $"Outputs and inputs are multiples of {AiterScaledWeight.Block}, not {outputs} and {inputs}.");
        reasons.Require((long)outputs * inputs < MatrixLimit, $"A weight has less than {MatrixLimit} elements, not {(long)outputs * inputs}.");
        return reasons.ToImmutable();
    }

    /// <summary>Finds, verifies and loads the kernels for a weight.</summary>
    /// <param name="library">The device's kernels.</param>
    /// <param name="outputs">Outputs of the weight.</param>
    /// <param name="inputs">Inputs of the weight.</param>
    /// <param name="computeUnits">What tiles are chosen for.</param>
    /// <param name="reasons">Why there are none, a sentence each.</param>
    /// <returns>Null with reasons.</returns>
    internal static AiterScaledGemm? TryCreate(AiterKernelLibrary library, int outputs, int inputs, int computeUnits, out ImmutableArray<string> reasons)
    {
        reasons = Refusals(outputs, inputs);
        if (!reasons.IsEmpty) return null;
        var kernels = ImmutableArray.CreateBuilder<(AiterKernel, AiterScaledGemmRow)>();
        var refused = new AiterReasons();
        foreach (AiterScaledGemmRow row in library.Kernels.ScaledGemm.Where(row => row.WantsShuffledWeight && outputs % row.TileColumns == 0).OrderBy(row => row.TileRows))
        {
            if (library.Load(AiterFamily.ScaledGemm, row.Object, Layouts, BlockThreads, out string reason) is { } kernel) kernels.Add((kernel, row));
            else refused.Add(reason);
        }

        if (kernels.Count > 0) return new AiterScaledGemm(kernels.ToImmutable(), outputs, inputs, computeUnits);
        reasons = refused.ToImmutable();
        if (reasons.IsEmpty) reasons = [$"No product of fp8 matrices with scales of blocks is listed for {outputs} outputs."];
        return null;
    }

    /// <summary>The fingerprints of all tiles' kernels, see <see cref="AiterKernel.Fingerprint"/>.</summary>
    internal string Fingerprint => string.Join(' ', _kernels.Select(kernel => kernel.Kernel.Fingerprint));

    /// <summary>A launch can have so many rows.</summary>
    internal bool CanLaunch(long rows) => rows > 0 && rows * Math.Max(_inputs, _outputs * 2L) < MatrixLimit && rows <= (long)MaxGridY * _tileRows[0];

    /// <summary>The symbol of the kernel for a number of rows.</summary>
    internal string SymbolFor(int rows) => _kernels[Choose(_tileRows, rows, _outputs / _kernels[0].Row.TileColumns, _computeUnits)].Kernel.Symbol;

    /// <summary>Enqueues one launch. Allocates nothing.</summary>
    /// <exception cref="HipException">The launch failed.</exception>
    /// <exception cref="ArgumentException">An address is not aligned, or there are too many rows.</exception>
    internal void Launch(HipStream stream, in AiterScaledGemmArguments arguments)
    {
        if (!CanLaunch(arguments.Rows))
        {
            long most = Math.Min((MatrixLimit - 1) / Math.Max(_inputs, _outputs * 2L), (long)MaxGridY * _tileRows[0]);
            throw new ArgumentException($"1 to {most} rows are expected, not {arguments.Rows}.", nameof(arguments));
        }

        AiterAlignment.Check(
            arguments.Output | arguments.Input | arguments.Weight | arguments.InputScales | arguments.WeightScales | arguments.Bias, "an operand");
        (AiterKernel kernel, AiterScaledGemmRow row) = _kernels[Choose(_tileRows, arguments.Rows, _outputs / _kernels[0].Row.TileColumns, _computeUnits)];
        Span<byte> kernarg = stackalloc byte[AiterKernelCheck.MaxKernargBytes];
        Pack(kernarg, _outputs, _inputs, arguments);
        kernel.Launch(stream, GridOf(row.TileRows, row.TileColumns, _outputs, arguments.Rows), kernarg);
    }

    internal static HipDim3 GridOf(int tileRows, int tileColumns, int outputs, int rows) => new((uint)(outputs / tileColumns), (uint)((rows + tileRows - 1) / tileRows));

    /// <summary>Which tile: the one whose rounds over the device's compute units, each as long as the tile is high, take the least; of equals the largest.</summary>
    /// <param name="tiles">Rows of the tiles, ascending.</param>
    /// <param name="rows">Rows of the product.</param>
    /// <param name="columns">Columns of tiles.</param>
    /// <param name="computeUnits">Of the device.</param>
    internal static int Choose(ReadOnlySpan<int> tiles, int rows, int columns, int computeUnits)
    {
        long best = long.MaxValue;
        int chosen = 0;
        for (int i = 0; i < tiles.Length; i++)
        {
            long rowTiles = (rows + tiles[i] - 1) / tiles[i], rounds = ((rowTiles * columns) + computeUnits - 1) / computeUnits;
            long cost = rounds * tiles[i];
            if (cost > best) continue;
            (best, chosen) = (cost, i);
        }

        return chosen;
    }

    /// <summary>Lays the arguments out, section 8.3. Strides of fp8 are elements, which are bytes; of the output bytes.</summary>
    internal static void Pack(Span<byte> kernarg, int outputs, int inputs, in AiterScaledGemmArguments arguments)
    {
        var slots = new KernargSlots(kernarg);
        slots.Set(0x00, arguments.Output);
        slots.Set(0x10, arguments.Input);
        slots.Set(0x20, arguments.Weight);
        slots.Set(0x30, arguments.InputScales);
        slots.Set(0x40, arguments.WeightScales);
        slots.Set(0x50, arguments.Bias);
        slots.Set(0x60, arguments.Rows);
        slots.Set(0x70, outputs);
        slots.Set(0x80, inputs);
        slots.Set(0x90, inputs);
        slots.Set(0xa0, inputs);
        slots.Set(0xb0, outputs * 2);
        slots.Set(0xc0, 1); // stretches of the inputs that are summed apart
        slots.Set(0xd0, arguments.Rows);
        slots.Set(0xe0, outputs / AiterScaledWeight.Block);
        slots.Set(0xf0, inputs / AiterScaledWeight.Block);
    }
}
