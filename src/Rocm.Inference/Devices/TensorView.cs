using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace Rocm.Inference;

/// <summary>
/// A small, non-owning view of device memory: buffer, byte offset, element type, dimensions and strides (in elements).
/// The innermost dimension of every view is contiguous unless an op says otherwise.
/// </summary>
public readonly struct TensorView
{
    /// <summary>Most dimensions a view can have.</summary>
    public const int MaxRank = 5;

    private readonly Extents _dims;
    private readonly Extents _strides;

    /// <summary>Creates a contiguous (row-major) view.</summary>
    /// <param name="buffer">The memory.</param>
    /// <param name="byteOffset">Where the view starts in the buffer.</param>
    /// <param name="dtype">Element type.</param>
    /// <param name="shape">Dimensions, outermost first.</param>
    /// <exception cref="ArgumentException">Too many dimensions, or the view would not fit the buffer.</exception>
    public TensorView(DeviceBuffer buffer, long byteOffset, DType dtype, params ReadOnlySpan<long> shape)
    {
        ArgumentNullException.ThrowIfNull(buffer);
        if (shape.Length > MaxRank) throw new ArgumentException($"A tensor view has at most {MaxRank} dimensions, not {shape.Length}.", nameof(shape));
        Buffer = buffer;
        ByteOffset = byteOffset;
        DType = dtype;
        Rank = shape.Length;
        long stride = 1;
        for (int i = shape.Length - 1; i >= 0; i--)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(shape[i], nameof(shape));
            _dims[i] = shape[i];
            _strides[i] = stride;
            stride = checked(stride * shape[i]);
        }

        long end = checked(byteOffset + (stride * dtype.ByteSize()));
        if (byteOffset < 0 || end > buffer.SizeBytes)
            throw new ArgumentException($"A view of bytes [{byteOffset}, {end}) does not fit a buffer of {buffer.SizeBytes} bytes.", nameof(shape));
    }

    private TensorView(DeviceBuffer buffer, long byteOffset, DType dtype, int rank, in Extents dims, in Extents strides)
    {
        Buffer = buffer;
        ByteOffset = byteOffset;
        DType = dtype;
        Rank = rank;
        _dims = dims;
        _strides = strides;
    }

    /// <summary>The memory that is viewed; null only in the default value, which stands for "absent".</summary>
    public DeviceBuffer Buffer { get; }

    /// <summary>Offset of element 0 in the buffer, in bytes.</summary>
    public long ByteOffset { get; }

    /// <summary>Element type.</summary>
    public DType DType { get; }

    /// <summary>Number of dimensions.</summary>
    public int Rank { get; }

    /// <summary>True for the default value: an optional operand that is absent.</summary>
    public bool IsAbsent => Buffer is null;

    /// <summary>Number of elements.</summary>
    public long Count
    {
        get
        {
            long count = 1;
            for (int i = 0; i < Rank; i++) count *= _dims[i];
            return count;
        }
    }

    /// <summary>True when the elements lie densely in row-major order.</summary>
    public bool IsContiguous
    {
        get
        {
            long stride = 1;
            for (int i = Rank - 1; i >= 0; i--)
            {
                if (_dims[i] != 1 && _strides[i] != stride) return false;
                stride *= _dims[i];
            }

            return true;
        }
    }

    /// <summary>Device address of element 0.</summary>
    public nint Address => Buffer.Address + (nint)ByteOffset;

    /// <summary>Size of dimension <paramref name="axis"/>.</summary>
    /// <param name="axis">0 is outermost.</param>
    public long Dim(int axis) => (uint)axis < (uint)Rank ? _dims[axis] : throw new ArgumentOutOfRangeException(nameof(axis));

    /// <summary>Distance between neighbours along <paramref name="axis"/>, in elements.</summary>
    /// <param name="axis">0 is outermost.</param>
    public long Stride(int axis) => (uint)axis < (uint)Rank ? _strides[axis] : throw new ArgumentOutOfRangeException(nameof(axis));

    /// <summary>The range [start, start + length) of one dimension, without copying.</summary>
    /// <param name="axis">The dimension to narrow.</param>
    /// <param name="start">First index kept.</param>
    /// <param name="length">Number of indices kept.</param>
    /// <exception cref="ArgumentOutOfRangeException">The range is outside the dimension.</exception>
    public TensorView Slice(int axis, long start, long length)
    {
        if (start < 0 || length < 0 || start > Dim(axis) - length)
            throw new ArgumentOutOfRangeException(nameof(start), $"[{start}, {start + length}) is outside dimension {axis} of {this}.");
        Extents dims = _dims;
        dims[axis] = length;
        return new TensorView(Buffer, ByteOffset + (start * _strides[axis] * DType.ByteSize()), DType, Rank, dims, _strides);
    }

    /// <summary>Splits the innermost dimension in two, without copying: [.., a·b] becomes [.., a, b].</summary>
    /// <param name="inner">Size of the new innermost dimension; must divide the old one.</param>
    /// <exception cref="ArgumentException">The dimension is not divisible, or the view already has <see cref="MaxRank"/> dimensions.</exception>
    public TensorView SplitLast(long inner)
    {
        if (Rank is 0 or MaxRank || inner <= 0 || _dims[Rank - 1] % inner != 0)
            throw new ArgumentException($"The last dimension of {this} cannot be split into groups of {inner}.", nameof(inner));
        Extents dims = _dims;
        Extents strides = _strides;
        long last = strides[Rank - 1];
        dims[Rank - 1] /= inner;
        strides[Rank - 1] = last * inner;
        dims[Rank] = inner;
        strides[Rank] = last;
        return new TensorView(Buffer, ByteOffset, DType, Rank + 1, dims, strides);
    }

    /// <summary>Leaves out a dimension of size 1, without copying: [.., 1, ..] becomes [.., ..].</summary>
    /// <param name="axis">The dimension to leave out.</param>
    /// <exception cref="ArgumentException">The dimension has another size.</exception>
    public TensorView Squeeze(int axis)
    {
        if (Dim(axis) != 1) throw new ArgumentException($"Dimension {axis} of {this} is not 1.", nameof(axis));
        Extents dims = _dims;
        Extents strides = _strides;
        for (int i = axis; i < Rank - 1; i++)
        {
            dims[i] = dims[i + 1];
            strides[i] = strides[i + 1];
        }

        return new TensorView(Buffer, ByteOffset, DType, Rank - 1, dims, strides);
    }

    /// <summary>The same elements under other dimensions. Only for contiguous views.</summary>
    /// <param name="shape">New dimensions with the same number of elements.</param>
    /// <exception cref="ArgumentException">The view is not contiguous or the counts differ.</exception>
    public TensorView Reshape(params ReadOnlySpan<long> shape)
    {
        long count = 1;
        foreach (long dim in shape) count *= dim;
        if (!IsContiguous || count != Count)
            throw new ArgumentException($"{this} cannot be viewed as {count} elements of another shape.", nameof(shape));
        return new TensorView(Buffer, ByteOffset, DType, shape);
    }

    /// <summary>The elements as a span. Only for contiguous views of host-accessible memory.</summary>
    /// <typeparam name="T">An unmanaged type of the element's size (for example <see cref="float"/>, <see cref="ushort"/> for bf16).</typeparam>
    /// <exception cref="InvalidOperationException">The memory is not host-accessible, not contiguous, or <typeparamref name="T"/> has another size.</exception>
    public unsafe Span<T> AsSpan<T>()
        where T : unmanaged
    {
        if (!Buffer.IsHostAccessible || !IsContiguous || sizeof(T) != DType.ByteSize())
            throw new InvalidOperationException($"{this} is not contiguous host memory of {sizeof(T)}-byte elements.");
        ObjectDisposedException.ThrowIf(Buffer.IsDisposed, Buffer);
        return new Span<T>((void*)Address, checked((int)Count));
    }

    /// <inheritdoc/>
    public override string ToString()
    {
        if (IsAbsent) return "absent";
        var text = new StringBuilder(DType.ToString()).Append('[');
        for (int i = 0; i < Rank; i++) text.Append(i == 0 ? string.Empty : ", ").Append(_dims[i]);
        return text.Append(']').ToString();
    }

    [InlineArray(MaxRank)]
    [StructLayout(LayoutKind.Sequential)]
    private struct Extents
    {
        private long _first;
    }
}
