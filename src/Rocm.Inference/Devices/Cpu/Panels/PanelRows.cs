using System.Runtime.CompilerServices;

namespace Rocm.Inference.Devices.Cpu.Panels;

/// <summary>One matrix of a weight while it is packed.</summary>
internal unsafe struct PanelPart
{
    public long Rows;
    public byte* Address;
    public long RowStride;

    /// <summary>Bytes between the elements of a row.</summary>
    public long ColumnStride;
    public DType DType;
    public WeightScaleValues Scales;
}

/// <summary>
/// The rows of stacked matrices, 48 at a time, as the packers take them: contiguous elements of the panel's type. Rows that lie so in the
/// checkpoint are read in place; elements of a transposed view are collected, other types are widened to f32.
/// </summary>
internal static unsafe class PanelRows
{
    /// <summary>Fills in the addresses of the panel's rows; null past the last row.</summary>
    /// <param name="parts">The matrices in output order.</param>
    /// <param name="numParts">How many.</param>
    /// <param name="columns">K.</param>
    /// <param name="widen">True when the panel holds floats.</param>
    /// <param name="first">First row of the panel.</param>
    /// <param name="scratch">Room for 48 rows of floats.</param>
    /// <param name="rows">48 addresses.</param>
    public static void Fill(PanelPart* parts, int numParts, int columns, bool widen, long first, byte* scratch, byte** rows)
    {
        int j = 0;
        long start = 0;
        for (int i = 0; i < numParts && j < Panel.Width; start += parts[i].Rows, i++)
        {
            ref readonly PanelPart part = ref parts[i];
            long row = first + j - start;
            if (row >= part.Rows) continue;
            int count = (int)Math.Min(Panel.Width - j, part.Rows - row);
            FillPart(part, row, count, columns, widen, scratch + ((long)j * columns * sizeof(float)), rows + j);
            j += count;
        }

        for (; j < Panel.Width; j++) rows[j] = null;
    }

    private static void FillPart(in PanelPart part, long row, int count, int columns, bool widen, byte* scratch, byte** rows)
    {
        byte* source = part.Address + (row * part.RowStride);
        if (part.DType == DType.F4E2M1 || (part.ColumnStride == part.DType.ByteSize() && (!widen || part.DType == DType.F32)))
        {
            for (int j = 0; j < count; j++) rows[j] = source + (j * part.RowStride);
            return;
        }

        // Columns outermost: in a transposed view the rows of a column are neighbours.
        long rowBytes = (long)columns * sizeof(float);
        int size = widen ? sizeof(float) : part.DType.ByteSize();
        for (int k = 0; k < columns; k++, source += part.ColumnStride)
        {
            byte* element = source;
            byte* target = scratch + ((long)k * size);
            for (int j = 0; j < count; j++, element += part.RowStride, target += rowBytes)
            {
                if (widen) *(float*)target = Widen(part.DType, element);
                else if (size == sizeof(uint)) *(uint*)target = Unsafe.ReadUnaligned<uint>(element);
                else if (size == sizeof(ushort)) *(ushort*)target = Unsafe.ReadUnaligned<ushort>(element);
                else *target = *element;
            }
        }

        for (int j = 0; j < count; j++) rows[j] = scratch + (j * rowBytes);
    }

    private static float Widen(DType dtype, byte* element) => dtype switch
    {
        DType.BF16 => BitConverter.UInt32BitsToSingle((uint)Unsafe.ReadUnaligned<ushort>(element) << 16),
        DType.F16 => (float)Unsafe.ReadUnaligned<Half>(element),
        _ => Unsafe.ReadUnaligned<float>(element),
    };
}
