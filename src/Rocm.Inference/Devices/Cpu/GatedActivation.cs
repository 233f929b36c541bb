using System.Runtime.CompilerServices;
using Rocm.Inference.Devices.Cpu.Simd;

namespace Rocm.Inference.Devices.Cpu;

/// <summary>y = act(gate) · up.</summary>
internal sealed unsafe partial class CpuKernels<TSimd, TVector>
{
    public void GatedActivation(DeviceContext context, TensorView gateUp, ActivationKind kind, TensorView y, float limit = 0)
    {
        CpuOperand input = CpuOperand.Of(gateUp), output = CpuOperand.Of(y);
        input.Expect(output.Rows, 2L * output.Columns);
        var job = new ActivationJob { GateUp = input, Y = output };
        bool alone = IsSmall(output.Rows, 4L * output.Columns);
        switch (kind)
        {
            case ActivationKind.Silu:
                crew.Run(&ActivateRows<Silu>, &job, alone);
                break;
            case ActivationKind.GeluTanh:
                crew.Run(&ActivateRows<GeluTanh>, &job, alone);
                break;
            case ActivationKind.Gelu:
                crew.Run(&ActivateRows<Gelu>, &job, alone);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(kind), kind, "Unknown activation.");
        }
    }

    private static void ActivateRows<TActivation>(CpuCrew crew, int worker, ActivationJob* job)
        where TActivation : IActivation
    {
        (long first, long end) = Share(crew, worker, job->Y.Rows);
        int columns = job->Y.Columns;
        for (long t = first; t < end; t++) ActivateRow<TActivation>(job->GateUp.Row(t), job->GateUp.Row(t) + columns, job->Y.Row(t), columns);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ActivateRow<TActivation>(float* gate, float* up, float* y, int columns)
        where TActivation : IActivation
    {
        int i = 0;
        for (; i + TSimd.Count <= columns; i += TSimd.Count)
            TSimd.Store(TSimd.Multiply(TActivation.Apply(TSimd.Load(gate + i)), TSimd.Load(up + i)), y + i);
        if (i == columns) return;
        TVector last = TSimd.Multiply(TActivation.Apply(LoadTail(gate + i, columns - i)), LoadTail(up + i, columns - i));
        StoreTail(last, y + i, columns - i);
    }

    private interface IActivation
    {
        static abstract TVector Apply(TVector x);
    }

    private readonly struct Silu : IActivation
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TVector Apply(TVector x)
        {
            TVector e = VectorMath.Exp<TSimd, TVector>(TSimd.Subtract(TSimd.Zero, x));
            return TSimd.Divide(x, TSimd.Add(TSimd.Create(1f), e));
        }
    }

    private readonly struct GeluTanh : IActivation
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TVector Apply(TVector x)
        {
            TVector cube = TSimd.Multiply(TSimd.Multiply(x, x), x);
            TVector inner = TSimd.Multiply(TSimd.Create(0.7978845608f), TSimd.MultiplyAdd(TSimd.Create(0.044715f), cube, x));
            TVector half = TSimd.Multiply(TSimd.Create(0.5f), x);
            return TSimd.MultiplyAdd(half, VectorMath.Tanh<TSimd, TVector>(inner), half);
        }
    }

    private readonly struct Gelu : IActivation
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TVector Apply(TVector x)
        {
            TVector erf = VectorMath.Erf<TSimd, TVector>(TSimd.Multiply(x, TSimd.Create(0.7071067812f)));
            TVector half = TSimd.Multiply(TSimd.Create(0.5f), x);
            return TSimd.MultiplyAdd(half, erf, half);
        }
    }

    private struct ActivationJob
    {
        public CpuOperand GateUp;
        public CpuOperand Y;
    }
}
