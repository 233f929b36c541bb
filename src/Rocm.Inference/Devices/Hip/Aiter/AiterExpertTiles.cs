using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Kernels;

namespace Rocm.Inference.Devices.Hip.Aiter;

/// <summary>moe/tile_experts.hip: sorted assignments as tiles of rows of one expert each, for AITER's fused experts.</summary>
internal sealed class AiterExpertTiles(KernelLibrary library)
{
    private const int Threads = 256;

    // First tiles of all experts in 64 KiB of local memory, less what the prefix sums take.
    private const int MaxExperts = 16000;

    private HipFunction? _kernel;

    /// <summary>Tiles that assignments fill at most, however they fall on experts: the host does not see how.</summary>
    /// <param name="assignments">Tokens times choices of each.</param>
    /// <param name="numExperts">Experts in all.</param>
    /// <param name="tileRows">Rows of a tile.</param>
    internal static int MaxTiles(int assignments, int numExperts, int tileRows)
    {
        // One row for each expert that can have one; what is left fills whole tiles.
        int first = Math.Min(assignments, numExperts);
        return first + ((assignments - first) / tileRows);
    }

    /// <summary>Writes the tables of a step.</summary>
    /// <param name="lane">Where.</param>
    /// <param name="offsets">[E + 1] i32, of <see cref="IKernels.SortByExpert"/>.</param>
    /// <param name="order">[T · K] i32, of <see cref="IKernels.SortByExpert"/>.</param>
    /// <param name="weights">[T, K] f32.</param>
    /// <param name="tiles">What is written.</param>
    internal void Enqueue(HipContext lane, TensorView offsets, TensorView order, TensorView weights, in Tables tiles)
    {
        HipOperand factors = HipOperand.Of(weights).Expect(DType.F32);
        int numExperts = checked((int)offsets.Count - 1), assignments = checked((int)factors.Rows * factors.Columns);
        if (numExperts is < 1 or > MaxExperts) throw new ArgumentException($"Expected [experts + 1] i32 of at most {MaxExperts} experts, found {offsets}.", nameof(offsets));
        int max = MaxTiles(assignments, numExperts, tiles.TileRows);
        _kernel ??= library.Get(new KernelUnit("moe/tile_experts.hip", ""), "tile_experts", Unsafe.SizeOf<TileExpertsArgs>());
        var args = new TileExpertsArgs
        {
            Offsets = HipOperand.Indices(offsets, numExperts + 1L),
            Order = HipOperand.Indices(order, assignments),
            Weights = factors.Address,
            Rows = HipOperand.Indices(tiles.Rows, (long)max * tiles.TileRows),
            RowWeights = tiles.Weights.Address,
            TileExperts = HipOperand.Indices(tiles.Experts, max),
            RowCount = HipOperand.Indices(tiles.RowCount, 1),
            WeightsStride = factors.Stride,
            NumExperts = numExperts,
            TopK = factors.Columns,
            NumTokens = (int)factors.Rows,
            TileRows = tiles.TileRows,
        };
        long rows = (long)max * tiles.TileRows;
        lane.Launch(_kernel, new HipDim3((uint)((rows + Threads - 1) / Threads)), Threads, args, numExperts * sizeof(int));
    }

    /// <summary>Tables of a step, with room for <see cref="MaxTiles"/>.</summary>
    internal readonly record struct Tables
    {
        /// <summary>[tiles · rows of a tile] i32: token, and which of its choices in the highest 8 bits. (tokens, choices) fills up an expert's last tile.</summary>
        public required TensorView Rows { get; init; }

        /// <summary>[tiles · rows of a tile] f32; 0 for rows that fill up.</summary>
        public required TensorView Weights { get; init; }

        /// <summary>[tiles] i32: the expert of each tile.</summary>
        public required TensorView Experts { get; init; }

        /// <summary>[1] i32: rows of all tiles that there are.</summary>
        public required TensorView RowCount { get; init; }

        /// <summary>Rows of a tile.</summary>
        public required int TileRows { get; init; }
    }

    // The kernel's arguments, field by field.
    [StructLayout(LayoutKind.Sequential)]
    private struct TileExpertsArgs
    {
        public nint Offsets, Order, Weights, Rows, RowWeights, TileExperts, RowCount;
        public long WeightsStride;
        public int NumExperts, TopK, NumTokens, TileRows;
    }
}
