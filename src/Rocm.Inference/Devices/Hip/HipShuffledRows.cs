using Rocm.Inference.Native.Aiter;

namespace Rocm.Inference.Devices.Hip;

/// <summary>Rows of a checkpoint matrix of 8-bit floats in the order and form of AITER's kernels, see <see cref="AiterScaledWeight"/>.</summary>
internal static class HipShuffledRows
{
    /// <summary>Rows and columns that have one scale.</summary>
    public const int Block = AiterScaledWeight.Block;

    /// <summary>Rows that are shuffled together.</summary>
    public const int Tile = AiterScaledWeight.TileOutputs;

    /// <summary>Every matrix is of E4M3 with whole blocks of 128 × 128 elements that have one scale each, or none.</summary>
    public static bool CanHold(ReadOnlySpan<WeightSource> members)
    {
        foreach (ref readonly WeightSource member in members)
        {
            foreach (ref readonly WeightMatrix part in member.Parts.Span)
            {
                if (part.DType is not (DType.F8E4M3Fn or DType.F8E4M3Fnuz) || part.Rows % Block != 0 || part.Columns % Block != 0 || !HasOneScale(part)) return false;
            }
        }

        return true;
    }

    /// <summary>Writes elements of rows [first, first + count), FNUZ: those of the OCP form at half their value.</summary>
    /// <param name="matrix">The source.</param>
    /// <param name="first">First row, a multiple of <see cref="Tile"/>.</param>
    /// <param name="count">Number of rows, a multiple of <see cref="Tile"/>.</param>
    /// <param name="target">count · columns bytes.</param>
    /// <param name="rows">Memory for a tile of rows in their own order.</param>
    public static void Fill(in WeightMatrix matrix, int first, int count, Span<byte> target, Span<byte> rows)
    {
        Span<byte> tile = rows[..(Tile * matrix.Columns)];
        for (int row = 0; row < count; row += Tile)
        {
            HipWeightRows.Fill(matrix, first + row, Tile, matrix.Columns, tile);
            if (matrix.DType == DType.F8E4M3Fn) AiterScaledWeight.ToFnuz(tile);
            AiterScaledWeight.Shuffle(tile, matrix.Columns, target.Slice(row * matrix.Columns, tile.Length));
        }
    }

    /// <summary>Writes scales of rows of blocks: twice those of the OCP form, 1 or 2 where the matrix has none.</summary>
    /// <param name="matrix">The source.</param>
    /// <param name="first">First row of blocks.</param>
    /// <param name="count">Number of rows of blocks.</param>
    /// <param name="target">[count, columns / 128].</param>
    public static void FillScales(in WeightMatrix matrix, int first, int count, Span<float> target)
    {
        WeightScaleValues scales = WeightScaleValues.Of(matrix.Scales);
        int width = target.Length / count;
        float factor = matrix.DType == DType.F8E4M3Fn ? 2 : 1;
        for (int i = 0; i < target.Length; i++) target[i] = factor * scales.At((first + (i / width)) * (long)Block, i % width * Block);
    }

    // Columns of a scale are checked for every weight.
    private static bool HasOneScale(in WeightMatrix part) => part.Scales is not { } scales
        || (scales.BlockRows % Block == 0 && scales.FirstRow % Block == 0) || scales.FirstRow / scales.BlockRows == (scales.FirstRow + part.Rows - 1) / scales.BlockRows;
}
