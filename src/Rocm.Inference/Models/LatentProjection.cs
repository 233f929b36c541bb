using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Rocm.Inference.Devices;

namespace Rocm.Inference.Models;

/// <summary>
/// kv_b_proj [N · (P + V), L] in the three forms that latent attention needs. 8-bit elements are widened to bf16 first: absorption takes W_UK
/// transposed, where a block's scale would no longer lie along the sum. It is the one weight that is kept wider than the checkpoint has it, and small:
/// 17 of DeepSeek V3's 11,500 million weights of a layer.
/// </summary>
/// <param name="spec">Widths.</param>
/// <param name="matrix">kv_b_proj.</param>
internal sealed class LatentProjection(MlaSpec spec, in WeightMatrix matrix)
{
    private readonly WeightMatrix _plain = matrix.Scales is null ? matrix : Widen(matrix);

    /// <summary>[N · (P + V), L].</summary>
    public WeightSource KeyValue => new(new[] { _plain });

    /// <summary>[N][L, P]: W_UK of each head, transposed.</summary>
    public WeightSource[] AbsorbQuery
    {
        get
        {
            WeightSource[] heads = Heads(firstRow: 0, spec.QkNopeHeadDim);
            for (int h = 0; h < heads.Length; h++)
            {
                WeightMatrix head = heads[h].Parts.Span[0];
                heads[h] = new WeightSource(new[]
                {
                    head with { Rows = head.Columns, Columns = head.Rows, RowStrideBytes = head.DType.ByteSize(), ColumnStrideBytes = head.RowStrideBytes },
                });
            }

            return heads;
        }
    }

    /// <summary>[N][V, L]: W_UV of each head.</summary>
    public WeightSource[] ProjectValue => Heads(spec.QkNopeHeadDim, spec.VHeadDim);

    private WeightSource[] Heads(int firstRow, int rows)
    {
        var heads = new WeightSource[spec.NumHeads];
        for (int h = 0; h < heads.Length; h++)
        {
            long first = ((long)h * (spec.QkNopeHeadDim + spec.VHeadDim)) + firstRow;
            heads[h] = new WeightSource(new[] { _plain with { Rows = rows, Address = _plain.Address + (nint)(first * _plain.RowStrideBytes) } });
        }

        return heads;
    }

    // The copy is an array: it lives as long as a packed weight reads it, if one does.
    private static unsafe WeightMatrix Widen(in WeightMatrix matrix)
    {
        WeightScales scales = matrix.Scales!;
        float[] values = Float8Values.Of(matrix.DType);
        ushort[] plain = GC.AllocateUninitializedArray<ushort>(checked(matrix.Rows * matrix.Columns), pinned: true);
        for (int row = 0; row < matrix.Rows; row++)
        {
            var elements = (byte*)(matrix.Address + (nint)(row * matrix.RowStrideBytes));
            nint scaleRow = scales.Address + (nint)(row / scales.BlockRows * scales.RowStrideBytes);
            Span<ushort> target = plain.AsSpan(row * matrix.Columns, matrix.Columns);
            for (int first = 0; first < matrix.Columns; first += scales.BlockColumns)
            {
                float scale = Scale(scales.DType, scaleRow, first / scales.BlockColumns);
                int end = Math.Min(first + scales.BlockColumns, matrix.Columns);
                for (int k = first; k < end; k++) target[k] = BFloat16Bits.Round(values[elements[k]] * scale);
            }
        }

        GC.KeepAlive(matrix.Owner);
        GC.KeepAlive(scales.Owner);
        return matrix with
        {
            DType = DType.BF16,
            Scales = null,
            Owner = plain,
            RowStrideBytes = (long)matrix.Columns * sizeof(ushort),
            Address = (nint)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(plain)),
        };
    }

    // The file aligns nothing.
    private static unsafe float Scale(DType dtype, nint row, int block) => dtype == DType.F32
        ? Unsafe.ReadUnaligned<float>((byte*)row + (block * sizeof(float)))
        : BitConverter.UInt32BitsToSingle((uint)Unsafe.ReadUnaligned<ushort>((byte*)row + (block * sizeof(ushort))) << 16);
}
