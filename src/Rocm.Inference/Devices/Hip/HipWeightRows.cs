using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Rocm.Inference.Devices.Hip;

/// <summary>Rows of a checkpoint matrix as a GPU keeps them. The file aligns nothing.</summary>
internal static unsafe class HipWeightRows
{
    /// <summary>Writes elements of rows [first, first + count), padded by zeros.</summary>
    /// <param name="matrix">The source.</param>
    /// <param name="first">First row.</param>
    /// <param name="count">Number of rows.</param>
    /// <param name="rowBytes">Bytes of a packed row.</param>
    /// <param name="target">count · rowBytes bytes.</param>
    public static void Fill(in WeightMatrix matrix, int first, int count, int rowBytes, Span<byte> target)
    {
        long columnStride = WeightChecks.ColumnStride(matrix);
        var source = (byte*)(matrix.Address + (nint)(first * matrix.RowStrideBytes));
        if (matrix.DType != DType.F4E2M1 && columnStride != matrix.DType.ByteSize())
        {
            FillStrided(matrix, source, columnStride, count, rowBytes, target);
            return;
        }

        for (int row = 0; row < count; row++, source += matrix.RowStrideBytes) FillRow(matrix, source, target.Slice(row * rowBytes, rowBytes));
    }

    /// <summary>Writes the f32 scales of rows of 8-bit floats: one for 128 columns, 1 where the matrix has none.</summary>
    public static void FillScales(in WeightMatrix matrix, int first, int count, Span<float> target)
    {
        WeightScaleValues scales = WeightScaleValues.Of(matrix.Scales);
        int width = target.Length / count;
        for (int i = 0; i < target.Length; i++) target[i] = scales.At(first + (i / width), i % width * WeightChecks.Float8ScaleColumns);
    }

    /// <summary>Writes the exponents of rows of 4-bit floats: one for 32 columns.</summary>
    public static void FillExponents(in WeightMatrix matrix, int first, int count, Span<byte> target)
    {
        WeightScaleValues scales = WeightScaleValues.Of(matrix.Scales);
        int width = target.Length / count;
        for (int i = 0; i < target.Length; i++) target[i] = scales.ExponentAt(first + (i / width), i % width * WeightChecks.Float4ScaleColumns);
    }

    private static void FillRow(in WeightMatrix matrix, byte* source, Span<byte> target)
    {
        int columns = matrix.Columns;
        int written;
        switch (matrix.DType)
        {
            case DType.F32:
                Narrow(source, MemoryMarshal.Cast<byte, ushort>(target)[..columns]);
                written = columns * sizeof(ushort);
                break;
            case DType.F16:
                NarrowHalves(source, MemoryMarshal.Cast<byte, ushort>(target)[..columns]);
                written = columns * sizeof(ushort);
                break;
            default:
                written = matrix.DType == DType.F4E2M1 ? columns / 2 : columns * matrix.DType.ByteSize();
                new ReadOnlySpan<byte>(source, written).CopyTo(target);
                break;
        }

        target[written..].Clear();
    }

    // Whichever way the source is dense is walked along; the rows of a chunk are in the caches.
    private static void FillStrided(in WeightMatrix matrix, byte* source, long columnStride, int count, int rowBytes, Span<byte> target)
    {
        target.Clear();
        int size = matrix.DType.IsFloat8() ? 1 : sizeof(ushort);
        bool columnsLast = columnStride < matrix.RowStrideBytes;
        int outer = columnsLast ? count : matrix.Columns, inner = columnsLast ? matrix.Columns : count;
        for (int i = 0; i < outer; i++)
        {
            for (int j = 0; j < inner; j++)
            {
                (int row, int column) = columnsLast ? (i, j) : (j, i);
                byte* element = source + (row * matrix.RowStrideBytes) + (column * columnStride);
                ref byte place = ref target[(row * rowBytes) + (column * size)];
                if (size == 1) place = *element;
                else Unsafe.WriteUnaligned(ref place, Element(matrix.DType, element));
            }
        }
    }

    private static ushort Element(DType dtype, byte* element) => dtype switch
    {
        DType.BF16 => Unsafe.ReadUnaligned<ushort>(element),
        DType.F16 => Narrow(BitConverter.SingleToUInt32Bits((float)Unsafe.ReadUnaligned<Half>(element))),
        _ => Narrow(Unsafe.ReadUnaligned<uint>(element)),
    };

    private static void NarrowHalves(byte* source, Span<ushort> target)
    {
        Span<Half> halves = stackalloc Half[256];
        float* wide = stackalloc float[256];
        for (int done = 0; done < target.Length; done += halves.Length)
        {
            int count = Math.Min(halves.Length, target.Length - done);
            new ReadOnlySpan<byte>(source + (done * sizeof(ushort)), count * sizeof(ushort)).CopyTo(MemoryMarshal.AsBytes(halves));
            TensorPrimitives.ConvertToSingle(halves[..count], new Span<float>(wide, count));
            Narrow((byte*)wide, target.Slice(done, count));
        }
    }

    private static void Narrow(byte* source, Span<ushort> target)
    {
        int i = 0;
        ref ushort first = ref MemoryMarshal.GetReference(target);
        for (; i + Vector256<ushort>.Count <= target.Length; i += Vector256<ushort>.Count)
        {
            Vector256<uint> low = Narrow(Vector256.Load((uint*)(source + (i * sizeof(float)))));
            Vector256<uint> high = Narrow(Vector256.Load((uint*)(source + (i * sizeof(float))) + Vector256<uint>.Count));
            Vector256.Narrow(low, high).StoreUnsafe(ref first, (nuint)i);
        }

        for (; i < target.Length; i++) target[i] = Narrow(Unsafe.ReadUnaligned<uint>(source + (i * sizeof(float))));
    }

    /// <summary>To nearest, ties to even; not-a-number stays so.</summary>
    private static ushort Narrow(uint bits) =>
        (ushort)((bits & 0x7FFF_FFFF) > 0x7F80_0000 ? (bits >> 16) | 0x40 : (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);

    private static Vector256<uint> Narrow(Vector256<uint> bits)
    {
        Vector256<uint> high = bits >>> 16;
        Vector256<uint> rounded = (bits + Vector256.Create(0x7FFFu) + (high & Vector256.Create(1u))) >>> 16;
        Vector256<uint> isNaN = Vector256.GreaterThan(bits & Vector256.Create(0x7FFF_FFFFu), Vector256.Create(0x7F80_0000u));
        return Vector256.ConditionalSelect(isNaN, high | Vector256.Create(0x40u), rounded);
    }
}
