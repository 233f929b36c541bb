using System.Runtime.CompilerServices;

namespace Rocm.Inference.Devices.Cpu;

/// <summary>RMS norm, alone and with the residual addition before it. The sum of squares has four vector accumulators.</summary>
internal sealed unsafe partial class CpuKernels<TSimd, TVector>
{
    public void RmsNorm(DeviceContext context, TensorView x, TensorView weight, float eps, float offset, TensorView y) =>
        Norm(x, default, weight, eps, offset, y);

    public void AddRmsNorm(DeviceContext context, TensorView residual, TensorView x, TensorView weight, float eps, float offset, TensorView y) =>
        Norm(x, residual, weight, eps, offset, y);

    private void Norm(TensorView x, TensorView residual, TensorView weight, float eps, float offset, TensorView y)
    {
        CpuOperand input = CpuOperand.Of(x), output = CpuOperand.Of(y), scale = CpuOperand.Of(weight);
        output.Expect(input.Rows, input.Columns);
        scale.Expect(1, input.Columns);
        var job = new NormJob { X = input, Y = output, Weight = scale.Address, Eps = eps, Offset = offset };
        if (!residual.IsAbsent)
        {
            job.Residual = CpuOperand.Of(residual);
            job.Residual.Expect(input.Rows, input.Columns);
        }

        crew.Run(&NormRows, &job, IsSmall(input.Rows, input.Columns));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void NormRows(CpuCrew crew, int worker, NormJob* job)
    {
        (long first, long end) = Share(crew, worker, job->X.Rows);
        int columns = job->X.Columns;
        for (long t = first; t < end; t++)
        {
            float* x = job->X.Row(t);
            if (job->Residual.Address != null)
            {
                float* residual = job->Residual.Row(t);
                AddRow(x, residual, columns);
                x = residual;
            }

            float scale = 1f / MathF.Sqrt((SumOfSquares(x, columns) / columns) + job->Eps);
            NormRow(x, job->Weight, scale, job->Offset, job->Y.Row(t), columns);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float SumOfSquares(float* x, int columns)
    {
        int lanes = TSimd.Count;
        TVector a = TSimd.Zero, b = TSimd.Zero, c = TSimd.Zero, d = TSimd.Zero;
        int i = 0;
        for (; i + (4 * lanes) <= columns; i += 4 * lanes)
        {
            TVector v = TSimd.Load(x + i);
            a = TSimd.MultiplyAdd(v, v, a);
            v = TSimd.Load(x + i + lanes);
            b = TSimd.MultiplyAdd(v, v, b);
            v = TSimd.Load(x + i + (2 * lanes));
            c = TSimd.MultiplyAdd(v, v, c);
            v = TSimd.Load(x + i + (3 * lanes));
            d = TSimd.MultiplyAdd(v, v, d);
        }

        for (; i < columns; i += lanes)
        {
            TVector v = i + lanes <= columns ? TSimd.Load(x + i) : LoadTail(x + i, columns - i);
            a = TSimd.MultiplyAdd(v, v, a);
        }

        return TSimd.Sum(TSimd.Add(TSimd.Add(a, b), TSimd.Add(c, d)));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void NormRow(float* x, float* weight, float scale, float offset, float* y, int columns)
    {
        TVector s = TSimd.Create(scale), o = TSimd.Create(offset);
        int i = 0;
        for (; i + TSimd.Count <= columns; i += TSimd.Count)
            TSimd.Store(TSimd.Multiply(TSimd.Multiply(TSimd.Load(x + i), s), TSimd.Add(TSimd.Load(weight + i), o)), y + i);
        for (; i < columns; i++) y[i] = x[i] * scale * (weight[i] + offset);
    }

    private struct NormJob
    {
        public CpuOperand X;
        public CpuOperand Residual;
        public CpuOperand Y;
        public float* Weight;
        public float Eps;
        public float Offset;
    }
}
