using System.Runtime.CompilerServices;
using Rocm.Inference.Devices.Cpu.Simd;

namespace Rocm.Inference.Devices.Cpu;

/// <summary>Activations of gated MLPs.</summary>
internal sealed unsafe partial class CpuKernels<TSimd, TVector>
{
    public void GatedActivation(DeviceContext context, TensorView gateUp, ActivationKind kind, TensorView y, float limit = 0)
    {
        CpuOperand input = CpuOperand.Of(gateUp), output = CpuOperand.Of(y);
        input.Expect(output.Rows, 2L * output.Columns);
        var job = new ActivationJob { GateUp = input, Y = output, Limit = limit };
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
            case ActivationKind.ClampedSwiGlu:
                if (!(limit > 0)) throw new ArgumentOutOfRangeException(nameof(limit), limit, "The bound of a clamped SwiGLU must be positive.");
                crew.Run(&ActivateRows<ClampedSwiGlu>, &job, alone);
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
        for (long t = first; t < end; t++) ActivateRow<TActivation>(job->GateUp.Row(t), job->GateUp.Row(t) + columns, job->Y.Row(t), columns, job->Limit);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ActivateRow<TActivation>(float* gate, float* up, float* y, int columns, float limit)
        where TActivation : IActivation
    {
        TVector bound = TSimd.Create(limit);
        int i = 0;
        for (; i + TSimd.Count <= columns; i += TSimd.Count)
            TSimd.Store(TActivation.Apply(TSimd.Load(gate + i), TSimd.Load(up + i), bound), y + i);
        if (i == columns) return;
        TVector last = TActivation.Apply(LoadTail(gate + i, columns - i), LoadTail(up + i, columns - i), bound);
        StoreTail(last, y + i, columns - i);
    }

    private interface IActivation
    {
        static abstract TVector Apply(TVector gate, TVector up, TVector limit);
    }

    private readonly struct Silu : IActivation
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TVector Apply(TVector x, TVector up, TVector limit)
        {
            TVector e = VectorMath.Exp<TSimd, TVector>(TSimd.Subtract(TSimd.Zero, x));
            return TSimd.Multiply(TSimd.Divide(x, TSimd.Add(TSimd.Create(1f), e)), up);
        }
    }

    private readonly struct GeluTanh : IActivation
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TVector Apply(TVector x, TVector up, TVector limit)
        {
            TVector cube = TSimd.Multiply(TSimd.Multiply(x, x), x);
            TVector inner = TSimd.Multiply(TSimd.Create(0.7978845608f), TSimd.MultiplyAdd(TSimd.Create(0.044715f), cube, x));
            TVector half = TSimd.Multiply(TSimd.Create(0.5f), x);
            return TSimd.Multiply(TSimd.MultiplyAdd(half, VectorMath.Tanh<TSimd, TVector>(inner), half), up);
        }
    }

    private readonly struct Gelu : IActivation
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TVector Apply(TVector x, TVector up, TVector limit)
        {
            TVector erf = VectorMath.Erf<TSimd, TVector>(TSimd.Multiply(x, TSimd.Create(0.7071067812f)));
            TVector half = TSimd.Multiply(TSimd.Create(0.5f), x);
            return TSimd.Multiply(TSimd.MultiplyAdd(half, erf, half), up);
        }
    }

    private readonly struct ClampedSwiGlu : IActivation
    {
        // The bounds come first: Min and Max return a NaN only from their second operand.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TVector Apply(TVector x, TVector up, TVector limit)
        {
            x = TSimd.Min(limit, x);
            up = TSimd.Max(TSimd.Subtract(TSimd.Zero, limit), TSimd.Min(limit, up));
            TVector swish = TSimd.Multiply(x, Sigmoid(TSimd.Multiply(TSimd.Create(1.702f), x)));
            return TSimd.Multiply(swish, TSimd.Add(up, TSimd.Create(1f)));
        }
    }

    private struct ActivationJob
    {
        public CpuOperand GateUp;
        public CpuOperand Y;
        public float Limit;
    }
}
