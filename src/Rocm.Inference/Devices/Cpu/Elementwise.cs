using System.Runtime.CompilerServices;
using Rocm.Inference.Devices.Cpu.Simd;

namespace Rocm.Inference.Devices.Cpu;

/// <summary>Add, Scale, SoftCap and GatherRows.</summary>
internal sealed unsafe partial class CpuKernels<TSimd, TVector>
{
    public void Add(DeviceContext context, TensorView x, TensorView y)
    {
        CpuOperand input = CpuOperand.Of(x), output = CpuOperand.Of(y);
        input.Expect(output.Rows, output.Columns);
        var job = new ElementwiseJob { X = input, Y = output };
        crew.Run(&AddRows, &job, IsSmall(output.Rows, output.Columns));
    }

    public void Scale(DeviceContext context, TensorView x, float scale)
    {
        CpuOperand operand = CpuOperand.Of(x);
        var job = new ElementwiseJob { Y = operand, Scalar = scale };
        crew.Run(&ScaleRows, &job, operand.Rows * operand.Columns < SharedFrom);
    }

    public void SoftCap(DeviceContext context, TensorView x, float cap)
    {
        if (!(cap > 0)) throw new ArgumentOutOfRangeException(nameof(cap), cap, "A soft-cap must be positive.");
        CpuOperand operand = CpuOperand.Of(x);
        var job = new ElementwiseJob { Y = operand, Scalar = cap };
        crew.Run(&SoftCapRows, &job, 4 * operand.Rows * operand.Columns < SharedFrom);
    }

    public void GatherRows(DeviceContext context, TensorView x, TensorView rows, TensorView y)
    {
        CpuOperand input = CpuOperand.Of(x), output = CpuOperand.Of(y);
        output.Expect(rows.Count, input.Columns);
        int* indices = CpuOperand.Indices(rows, output.Rows);
        for (long r = 0; r < output.Rows; r++)
        {
            if ((uint)indices[r] >= (ulong)input.Rows)
                throw new ArgumentOutOfRangeException(nameof(rows), indices[r], $"Row indices must be in [0, {input.Rows}).");
            new ReadOnlySpan<float>(input.Row(indices[r]), input.Columns).CopyTo(new Span<float>(output.Row(r), input.Columns));
        }
    }

    private static void AddRows(CpuCrew crew, int worker, ElementwiseJob* job)
    {
        (long first, long end) = Share(crew, worker, job->Y.Rows);
        for (long t = first; t < end; t++) AddRow(job->X.Row(t), job->Y.Row(t), job->Y.Columns);
    }

    /// <summary>y += x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddRow(float* x, float* y, int columns)
    {
        int i = 0;
        for (; i + TSimd.Count <= columns; i += TSimd.Count) TSimd.Store(TSimd.Add(TSimd.Load(y + i), TSimd.Load(x + i)), y + i);
        for (; i < columns; i++) y[i] += x[i];
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ScaleRows(CpuCrew crew, int worker, ElementwiseJob* job)
    {
        (int first, int end) = ShareColumns(crew, worker, job->Y.Columns);
        TVector scale = TSimd.Create(job->Scalar);
        for (long t = 0; t < job->Y.Rows; t++)
        {
            float* y = job->Y.Row(t);
            int i = first;
            for (; i + TSimd.Count <= end; i += TSimd.Count) TSimd.Store(TSimd.Multiply(TSimd.Load(y + i), scale), y + i);
            for (; i < end; i++) y[i] *= job->Scalar;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void SoftCapRows(CpuCrew crew, int worker, ElementwiseJob* job)
    {
        (int first, int end) = ShareColumns(crew, worker, job->Y.Columns);
        TVector cap = TSimd.Create(job->Scalar);
        for (long t = 0; t < job->Y.Rows; t++)
        {
            float* y = job->Y.Row(t);
            int i = first;
            for (; i + TSimd.Count <= end; i += TSimd.Count) TSimd.Store(Cap(TSimd.Load(y + i), cap), y + i);
            if (i < end) StoreTail(Cap(LoadTail(y + i, end - i), cap), y + i, end - i);
        }
    }

    /// <summary>This thread's part of every row, at cache lines: few rows of logits are long.</summary>
    private static (int First, int End) ShareColumns(CpuCrew crew, int worker, int columns)
    {
        const int Line = 16;
        long lines = (columns + Line - 1) / Line;
        return ((int)(lines * worker / crew.ActiveThreads * Line), (int)Math.Min(columns, lines * (worker + 1) / crew.ActiveThreads * Line));
    }

    private static TVector Cap(TVector x, TVector cap) => TSimd.Multiply(cap, VectorMath.Tanh<TSimd, TVector>(TSimd.Divide(x, cap)));

    private struct ElementwiseJob
    {
        public CpuOperand X;
        public CpuOperand Y;
        public float Scalar;
    }
}
