using System.Runtime.CompilerServices;

namespace Rocm.Inference.Devices.Hip;

/// <summary>An operand as rows: address, number of rows, elements of a row, distance of rows in elements. [D], [T, D], or [T, H, D] whose rows lie evenly.</summary>
internal readonly struct HipOperand
{
    private HipOperand(TensorView view, long rows, long stride)
    {
        Address = view.Address;
        DType = view.DType;
        Rows = rows;
        Columns = checked((int)view.Dim(view.Rank - 1));
        Stride = stride;
    }

    public nint Address { get; }

    public DType DType { get; }

    public long Rows { get; }

    public int Columns { get; }

    public long Stride { get; }

    /// <exception cref="ArgumentException">The view is absent, not of floats, or not of such rows.</exception>
    public static HipOperand Of(TensorView view, [CallerArgumentExpression(nameof(view))] string? name = null)
    {
        if (view.IsAbsent || view.DType is not (DType.BF16 or DType.F32) || view.Rank is < 1 or > 3 || (view.Stride(view.Rank - 1) != 1 && view.Dim(view.Rank - 1) > 1))
            throw new ArgumentException($"Expected a bf16 or f32 view of 1 to 3 dimensions, the last contiguous; found {view}.", name);
        ObjectDisposedException.ThrowIf(view.Buffer.IsDisposed, view.Buffer);
        if (view.Rank < 3) return new HipOperand(view, view.Rank == 1 ? 1 : view.Dim(0), view.Rank == 1 ? 0 : view.Stride(0));
        if (view.Dim(0) > 1 && view.Stride(0) != view.Dim(1) * view.Stride(1))
            throw new ArgumentException($"The rows of {view} do not lie evenly: strides of {view.Stride(0)} and {view.Stride(1)} elements.", name);
        return new HipOperand(view, view.Dim(0) * view.Dim(1), view.Stride(1));
    }

    /// <summary>Checks the element type.</summary>
    public HipOperand Expect(DType dtype, [CallerArgumentExpression(nameof(dtype))] string? name = null) => DType == dtype
        ? this : throw new ArgumentException($"Expected elements of {dtype}, found {DType}.", name);

    /// <summary>Checks the number of rows and columns.</summary>
    public void Expect(long rows, long columns, [CallerArgumentExpression(nameof(rows))] string? name = null)
    {
        if (Rows != rows || Columns != columns)
            throw new ArgumentException($"Expected {rows} rows of {columns} elements, found {Rows} of {Columns}.", name);
    }

    /// <summary>The address of at least <paramref name="count"/> contiguous i32, in any number of dimensions.</summary>
    public static nint Indices(TensorView view, long count, [CallerArgumentExpression(nameof(view))] string? name = null)
    {
        if (view.IsAbsent || view.DType != DType.I32 || view.Count < count || !view.IsContiguous)
            throw new ArgumentException($"Expected {count} contiguous i32, found {view}.", name);
        ObjectDisposedException.ThrowIf(view.Buffer.IsDisposed, view.Buffer);
        return view.Address;
    }
}
