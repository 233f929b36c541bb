using System.Runtime.CompilerServices;

namespace Rocm.Inference.Devices.Cpu;

/// <summary>An f32 operand as rows: address, number of rows, elements of a row, and distances in elements. [T, D], or [T, H, D] as T · H rows.</summary>
internal unsafe struct CpuOperand
{
    public float* Address;
    public long Outer;
    public long Inner;
    public long OuterStride;
    public long InnerStride;
    public int Columns;

    public readonly long Rows => Outer * Inner;

    /// <summary>Address of a row.</summary>
    public readonly float* Row(long row) => Inner == 1
        ? Address + (row * OuterStride)
        : Address + (row / Inner * OuterStride) + (row % Inner * InnerStride);

    public static CpuOperand Of(TensorView view, [CallerArgumentExpression(nameof(view))] string? name = null)
    {
        if (view.IsAbsent || view.DType != DType.F32 || view.Rank is < 1 or > 3 || view.Stride(view.Rank - 1) != 1)
            throw new ArgumentException($"Expected an f32 view of 1 to 3 dimensions, the last contiguous; found {view}.", name);
        ObjectDisposedException.ThrowIf(view.Buffer.IsDisposed, view.Buffer);
        int rank = view.Rank;
        return new CpuOperand
        {
            Address = (float*)view.Address,
            Outer = rank == 1 ? 1 : view.Dim(0),
            Inner = rank == 3 ? view.Dim(1) : 1,
            OuterStride = rank == 1 ? 0 : view.Stride(0),
            InnerStride = rank == 3 ? view.Stride(1) : 0,
            Columns = checked((int)view.Dim(rank - 1)),
        };
    }

    /// <summary>Checks the number of rows and columns.</summary>
    public readonly void Expect(long rows, long columns, [CallerArgumentExpression(nameof(rows))] string? name = null)
    {
        if (Rows != rows || Columns != columns)
            throw new ArgumentException($"Expected {rows} rows of {columns} elements, found {Rows} of {Columns}.", name);
    }

    /// <summary>At least <paramref name="count"/> contiguous i32, in any number of dimensions.</summary>
    public static int* Indices(TensorView view, long count, [CallerArgumentExpression(nameof(view))] string? name = null)
    {
        if (view.IsAbsent || view.DType != DType.I32 || view.Count < count || !view.IsContiguous)
            throw new ArgumentException($"Expected {count} contiguous i32, found {view}.", name);
        ObjectDisposedException.ThrowIf(view.Buffer.IsDisposed, view.Buffer);
        return (int*)view.Address;
    }
}
