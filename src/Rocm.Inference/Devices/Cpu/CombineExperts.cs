using System.Runtime.CompilerServices;

namespace Rocm.Inference.Devices.Cpu;

/// <summary>Weighted sums of the experts' outputs of each token.</summary>
internal sealed unsafe partial class CpuKernels<TSimd, TVector>
{
    public void CombineExperts(DeviceContext context, TensorView x, TensorView places, TensorView weights, TensorView y, bool accumulate)
    {
        CpuOperand input = CpuOperand.Of(x), factors = CpuOperand.Of(weights), output = CpuOperand.Of(y);
        factors.Expect(output.Rows, factors.Columns);
        long assignments = output.Rows * factors.Columns;
        input.Expect(assignments, output.Columns);
        int* place = CpuOperand.Indices(places, assignments);
        for (long i = 0; i < assignments; i++)
        {
            if ((uint)place[i] >= (ulong)assignments)
                throw new ArgumentOutOfRangeException(nameof(places), place[i], $"Places must be in [0, {assignments}).");
        }

        var job = new CombineJob { X = input, Places = place, Weights = factors, Y = output, Accumulate = accumulate };
        crew.Run(&CombineRows, &job, IsSmall(output.Rows, (long)output.Columns * factors.Columns));
    }

    private static void CombineRows(CpuCrew crew, int worker, CombineJob* job)
    {
        (long first, long end) = Share(crew, worker, job->Y.Rows);
        int topK = job->Weights.Columns;
        for (long t = first; t < end; t++) CombineRow(job, job->Places + (t * topK), job->Weights.Row(t), topK, job->Y.Row(t));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void CombineRow(CombineJob* job, int* places, float* weights, int topK, float* y)
    {
        int columns = job->Y.Columns;
        for (int i = 0; i < columns; i += TSimd.Count)
        {
            int count = Math.Min(TSimd.Count, columns - i);
            TVector sum = TSimd.Zero;
            for (int k = 0; k < topK; k++)
            {
                float* x = job->X.Row(places[k]) + i;
                sum = TSimd.MultiplyAdd(TSimd.Create(weights[k]), count == TSimd.Count ? TSimd.Load(x) : LoadTail(x, count), sum);
            }

            if (job->Accumulate) sum = TSimd.Add(count == TSimd.Count ? TSimd.Load(y + i) : LoadTail(y + i, count), sum);
            if (count == TSimd.Count) TSimd.Store(sum, y + i);
            else StoreTail(sum, y + i, count);
        }
    }

    private struct CombineJob
    {
        public CpuOperand X;
        public int* Places;
        public CpuOperand Weights;
        public CpuOperand Y;
        public bool Accumulate;
    }
}
