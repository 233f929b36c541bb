using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Kernels;

namespace Rocm.Inference.Devices.Hip;

/// <summary>dense/elementwise.hip: ops on rows whose elements do not meet, on activations and on f32 (logits).</summary>
internal sealed partial class HipKernels
{
    private const int ElementThreads = 256;
    private const int ElementBytes = 16;
    private readonly KernelSet<ElementInstance> _add = Elementwise(library, "add");
    private readonly KernelSet<ElementInstance> _scale = Elementwise(library, "scale");
    private readonly KernelSet<ElementInstance> _softCap = Elementwise(library, "soft_cap");
    private readonly KernelSet<ElementInstance> _gatherRows = Elementwise(library, "gather_rows");
    private readonly KernelSet<ElementInstance> _gatedActivation = Elementwise(library, "gated_activation");
    private readonly KernelSet<ElementInstance> _gateRows = Elementwise(library, "gate_rows");

    public void Add(DeviceContext context, TensorView x, TensorView y)
    {
        HipOperand output = HipOperand.Of(y), input = HipOperand.Of(x).Expect(output.DType);
        input.Expect(output.Rows, output.Columns);
        Launch(context, _add, output, new ElementwiseArgs { X = input.Address, XStride = input.Stride });
    }

    public void Scale(DeviceContext context, TensorView x, float scale) =>
        Launch(context, _scale, HipOperand.Of(x), new ElementwiseArgs { Factor = scale });

    public void SoftCap(DeviceContext context, TensorView x, float cap)
    {
        if (!(cap > 0)) throw new ArgumentOutOfRangeException(nameof(cap), cap, "A soft-cap must be positive.");
        Launch(context, _softCap, HipOperand.Of(x), new ElementwiseArgs { Factor = cap });
    }

    /// <inheritdoc/>
    /// <remarks>The rows are not seen by the host: one that x does not have gives a row of NaN.</remarks>
    public void GatherRows(DeviceContext context, TensorView x, TensorView rows, TensorView y)
    {
        HipOperand output = HipOperand.Of(y), input = HipOperand.Of(x).Expect(output.DType);
        output.Expect(rows.Count, input.Columns);
        var args = new ElementwiseArgs { X = input.Address, XStride = input.Stride, Other = HipOperand.Indices(rows, output.Rows), NumRows = checked((int)input.Rows), Factor = 1 };
        Launch(context, _gatherRows, output, args);
    }

    public void GatedActivation(DeviceContext context, TensorView gateUp, ActivationKind kind, TensorView y, float limit = 0)
    {
        if (!Enum.IsDefined(kind)) throw new ArgumentOutOfRangeException(nameof(kind), kind, "Unknown activation.");
        if (kind == ActivationKind.ClampedSwiGlu && !(limit > 0))
            throw new ArgumentOutOfRangeException(nameof(limit), limit, "The bound of a clamped SwiGLU must be positive.");
        HipOperand output = HipOperand.Of(y), input = HipOperand.Of(gateUp).Expect(output.DType);
        input.Expect(output.Rows, 2L * output.Columns);
        Launch(context, _gatedActivation, output, new ElementwiseArgs { X = input.Address, XStride = input.Stride, Kind = (int)kind, Factor = limit });
    }

    public void GateRows(DeviceContext context, TensorView gate, TensorView x)
    {
        HipOperand rows = HipOperand.Of(x), gates = HipOperand.Of(gate).Expect(rows.DType);
        gates.Expect(rows.Rows, 1);
        Launch(context, _gateRows, rows, new ElementwiseArgs { Other = gates.Address, OtherStride = gates.Stride });
    }

    private static KernelSet<ElementInstance> Elementwise(KernelLibrary library, string kernel) =>
        new(library, "dense/elementwise.hip", kernel, Unsafe.SizeOf<ElementwiseArgs>(), static instance => instance.DType == DType.F32 ? "T=F32" : Activation);

    // Rows in x, where the grid may be largest: assignments of tokens to experts are many.
    private static void Launch(DeviceContext context, KernelSet<ElementInstance> kernels, in HipOperand y, ElementwiseArgs args)
    {
        args.Y = y.Address;
        args.YStride = y.Stride;
        args.Columns = y.Columns;
        int width = ElementThreads * (ElementBytes / y.DType.ByteSize());
        var grid = new HipDim3(checked((uint)y.Rows), (uint)((y.Columns + width - 1) / width));
        HipContext.Of(context).Launch(kernels[new ElementInstance(y.DType)], grid, ElementThreads, args);
    }

    private readonly record struct ElementInstance(DType DType);

    [StructLayout(LayoutKind.Sequential)]
    private struct ElementwiseArgs
    {
        public nint X, Other, Y;
        public long XStride, OtherStride, YStride;
        public int NumRows, Columns, Kind;
        public float Factor;
    }
}
