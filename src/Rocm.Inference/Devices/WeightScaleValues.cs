using System.Runtime.CompilerServices;

namespace Rocm.Inference.Devices;

/// <summary>The scales of one matrix while it is packed.</summary>
internal unsafe struct WeightScaleValues
{
    /// <summary>First scale, or null where every scale is 1.</summary>
    public byte* Address;
    public DType DType;
    public long RowStride;
    public long ColumnStride;
    public int BlockRows;
    public int BlockColumns;
    public int FirstRow;
    public int FirstColumn;

    public static WeightScaleValues Of(WeightScales? scales) => scales is null ? default : new WeightScaleValues
    {
        Address = (byte*)scales.Address,
        DType = scales.DType,
        RowStride = scales.RowStrideBytes,
        ColumnStride = scales.ColumnStrideBytes != 0 ? scales.ColumnStrideBytes : scales.DType.ByteSize(),
        BlockRows = scales.BlockRows,
        BlockColumns = scales.BlockColumns,
        FirstRow = scales.FirstRow,
        FirstColumn = scales.FirstColumn,
    };

    /// <summary>The scale of an element of the view.</summary>
    public readonly float At(long row, int column)
    {
        if (Address == null) return 1;
        byte* scale = Find(row, column);
        return DType switch
        {
            DType.F32 => Unsafe.ReadUnaligned<float>(scale),
            DType.BF16 => BitConverter.UInt32BitsToSingle((uint)Unsafe.ReadUnaligned<ushort>(scale) << 16),
            _ => *scale == 255 ? float.NaN : MathF.ScaleB(1, *scale - 127),
        };
    }

    /// <summary>The exponent of an element's scale, 127 more than its value.</summary>
    public readonly byte ExponentAt(long row, int column) => *Find(row, column);

    private readonly byte* Find(long row, int column) =>
        Address + ((FirstRow + row) / BlockRows * RowStride) + ((FirstColumn + column) / BlockColumns * ColumnStride);
}
