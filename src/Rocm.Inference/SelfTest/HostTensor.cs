using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Rocm.Inference.SelfTest.Reference;

namespace Rocm.Inference.SelfTest;

/// <summary>Elements of a contiguous tensor on the host, as the bytes that a device gets. Pinned, so that weights can be packed from it.</summary>
internal sealed class HostTensor
{
    public HostTensor(DType dtype, params ReadOnlySpan<long> shape)
    {
        DType = dtype;
        Shape = shape.ToArray();
        Count = 1;
        foreach (long dim in shape) Count = checked(Count * dim);
        Bytes = GC.AllocateArray<byte>(checked((int)(Count * dtype.ByteSize())), pinned: true);
    }

    public DType DType { get; }

    public long[] Shape { get; }

    public long Count { get; }

    public byte[] Bytes { get; }

    /// <summary>Where the bytes are; valid while this object is referenced.</summary>
    public nint Address => Marshal.UnsafeAddrOfPinnedArrayElement(Bytes, 0);

    /// <summary>The value of an element, and its replacement by the nearest value that the type holds.</summary>
    public double this[long index]
    {
        get => ReferenceNumbers.Decode(DType, GetBits(index));
        set => SetBits(index, ReferenceNumbers.Encode(DType, value));
    }

    public static HostTensor Of(float[] values, params ReadOnlySpan<long> shape) => Copy<float>(DType.F32, values, shape);

    public static HostTensor Of(int[] values, params ReadOnlySpan<long> shape) => Copy<int>(DType.I32, values, shape);

    public static HostTensor Of(long[] values, params ReadOnlySpan<long> shape) => Copy<long>(DType.I64, values, shape);

    /// <summary>All elements the value that no kernel may let through: NaN, in integers −1.</summary>
    public static HostTensor Poisoned(DType dtype, params ReadOnlySpan<long> shape)
    {
        var tensor = new HostTensor(dtype, shape);
        tensor.Bytes.AsSpan().Fill(ReferenceNumbers.PoisonByte(dtype));
        return tensor;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public uint GetBits(long index) => DType.ByteSize() switch
    {
        1 => Bytes[index],
        2 => MemoryMarshal.Cast<byte, ushort>(Bytes)[(int)index],
        _ => MemoryMarshal.Cast<byte, uint>(Bytes)[(int)index],
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void SetBits(long index, uint bits)
    {
        switch (DType.ByteSize())
        {
            case 1: Bytes[index] = (byte)bits; break;
            case 2: MemoryMarshal.Cast<byte, ushort>(Bytes.AsSpan())[(int)index] = (ushort)bits; break;
            default: MemoryMarshal.Cast<byte, uint>(Bytes.AsSpan())[(int)index] = bits; break;
        }
    }

    public ReadOnlySpan<T> As<T>()
        where T : unmanaged => MemoryMarshal.Cast<byte, T>(Bytes);

    /// <summary>Elements [first, first + destination.Length).</summary>
    public void Read(long first, Span<double> destination)
    {
        // The type is looked at once: weights and caches have hundreds of millions of elements.
        switch (DType)
        {
            case DType.BF16:
                ReadOnlySpan<ushort> words = As<ushort>().Slice((int)first, destination.Length);
                for (int i = 0; i < words.Length; i++) destination[i] = BitConverter.UInt32BitsToSingle((uint)words[i] << 16);
                break;
            case DType.F32:
                ReadOnlySpan<float> values = As<float>().Slice((int)first, destination.Length);
                for (int i = 0; i < values.Length; i++) destination[i] = values[i];
                break;
            default:
                for (int i = 0; i < destination.Length; i++) destination[i] = this[first + i];
                break;
        }
    }

    /// <summary>True when there is neither NaN nor infinity.</summary>
    public bool IsFinite(long first, long count)
    {
        Span<double> part = stackalloc double[256];
        for (long i = first; i < first + count; i += part.Length)
        {
            Span<double> values = part[..(int)Math.Min(part.Length, first + count - i)];
            Read(i, values);
            foreach (double value in values)
            {
                if (!double.IsFinite(value)) return false;
            }
        }

        return true;
    }

    public double[] Read(long first, long count)
    {
        var values = new double[count];
        Read(first, values);
        return values;
    }

    private static HostTensor Copy<T>(DType dtype, T[] values, ReadOnlySpan<long> shape)
        where T : unmanaged
    {
        var tensor = new HostTensor(dtype, shape);
        values.CopyTo(MemoryMarshal.Cast<byte, T>(tensor.Bytes.AsSpan()));
        return tensor;
    }
}
