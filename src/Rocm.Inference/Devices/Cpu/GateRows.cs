using System.Runtime.CompilerServices;
using Rocm.Inference.Devices.Cpu.Simd;

namespace Rocm.Inference.Devices.Cpu;

/// <summary>Rows times the sigmoid of their gate.</summary>
internal sealed unsafe partial class CpuKernels<TSimd, TVector>
{
    public void GateRows(DeviceContext context, TensorView gate, TensorView x)
    {
        CpuOperand gates = CpuOperand.Of(gate), rows = CpuOperand.Of(x);
        gates.Expect(rows.Rows, 1);
        var job = new GateJob { Gates = gates, X = rows };
        crew.Run(&GateEachRow, &job, IsSmall(rows.Rows, rows.Columns));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void GateEachRow(CpuCrew crew, int worker, GateJob* job)
    {
        (long first, long end) = Share(crew, worker, job->X.Rows);
        int columns = job->X.Columns;
        for (long t = first; t < end; t++)
        {
            float* x = job->X.Row(t);
            TVector factor = Sigmoid(TSimd.Create(*job->Gates.Row(t)));
            int i = 0;
            for (; i + TSimd.Count <= columns; i += TSimd.Count) TSimd.Store(TSimd.Multiply(TSimd.Load(x + i), factor), x + i);
            if (i < columns) StoreTail(TSimd.Multiply(LoadTail(x + i, columns - i), factor), x + i, columns - i);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Sigmoid(TVector x)
    {
        TVector one = TSimd.Create(1f);
        return TSimd.Divide(one, TSimd.Add(one, VectorMath.Exp<TSimd, TVector>(TSimd.Subtract(TSimd.Zero, x))));
    }

    private struct GateJob
    {
        public CpuOperand Gates;
        public CpuOperand X;
    }
}
