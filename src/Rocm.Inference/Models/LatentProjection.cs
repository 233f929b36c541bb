using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Rocm.Inference.Devices;

namespace Rocm.Inference.Models;

/// <summary>
/// kv_b_proj [N · (P + V), L] in the three forms that latent attention needs, of the checkpoint's elements. Absorption takes W_UK transposed: its sum goes along
/// rows of the file. 8-bit elements stay so where every head's rows have one scale for each stretch of 128, from the head's first row on, as packed weights have
/// them; DeepSeek's heads of 128 and 128 rows do. Others are widened to bf16 first.
/// </summary>
/// <param name="spec">Widths.</param>
/// <param name="matrix">kv_b_proj.</param>
internal sealed class LatentProjection(MlaSpec spec, in WeightMatrix matrix)
{
    private readonly WeightMatrix _kept = KeepsElements(spec, matrix) ? matrix : Widen(matrix);

    /// <summary>Whether the elements stay as the checkpoint has them.</summary>
    public static bool KeepsElements(MlaSpec spec, in WeightMatrix matrix)
    {
        if (matrix.Scales is not { } scales) return true;
        for (int h = 0; h < spec.NumHeads; h++)
        {
            if (!WeightChecks.AreAligned(h * (spec.QkNopeHeadDim + spec.VHeadDim), spec.QkNopeHeadDim, scales.BlockRows, WeightChecks.Float8ScaleColumns)) return false;
        }

        return true;
    }

    /// <summary>[N · (P + V), L].</summary>
    public WeightSource KeyValue => new(new[] { _kept });

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
                    head with
                    {
                        Rows = head.Columns,
                        Columns = head.Rows,
                        RowStrideBytes = head.DType.ByteSize(),
                        ColumnStrideBytes = head.RowStrideBytes,
                        Scales = head.Scales is { } scales ? Transposed(scales) : null,
                    },
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
            int first = (h * (spec.QkNopeHeadDim + spec.VHeadDim)) + firstRow;
            heads[h] = new WeightSource(new[]
            {
                _kept with
                {
                    Rows = rows,
                    Address = _kept.Address + (nint)(first * _kept.RowStrideBytes),
                    Scales = _kept.Scales is { } scales ? scales with { FirstRow = scales.FirstRow + first } : null,
                },
            });
        }

        return heads;
    }

    private static WeightScales Transposed(WeightScales scales) => scales with
    {
        RowStrideBytes = scales.ColumnStrideBytes != 0 ? scales.ColumnStrideBytes : scales.DType.ByteSize(),
        ColumnStrideBytes = scales.RowStrideBytes,
        BlockRows = scales.BlockColumns,
        BlockColumns = scales.BlockRows,
        FirstRow = scales.FirstColumn,
        FirstColumn = scales.FirstRow,
    };

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
