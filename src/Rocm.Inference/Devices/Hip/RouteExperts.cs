using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Kernels;

namespace Rocm.Inference.Devices.Hip;

/// <summary>moe/route_experts.hip: routing of tokens to experts, from logits of the activation type or f32.</summary>
internal sealed partial class HipKernels
{
    // Lists of scores and keys of experts and groups in 64 KiB of local memory.
    private const int MaxRoutedExperts = 4096;
    private readonly HipFunction?[] _routeExperts = new HipFunction?[2];

    public void RouteExperts(DeviceContext context, TensorView logits, TensorView choiceBias, MoeRouting routing, TensorView experts, TensorView weights)
    {
        HipOperand input = HipOperand.Of(logits), factors = HipOperand.Of(weights).Expect(DType.F32);
        routing.Check();
        if (routing.NumExperts > MaxRoutedExperts)
            throw new ArgumentException($"At most {MaxRoutedExperts} experts can be routed to, found {routing.NumExperts}.", nameof(routing));
        input.Expect(factors.Rows, routing.NumExperts);
        factors.Expect(input.Rows, routing.TopK);
        int numGroups = routing.TopKGroups < routing.NumGroups ? routing.NumGroups : 1;
        var args = new RouteExpertsArgs
        {
            Logits = input.Address,
            Experts = HipOperand.Indices(experts, input.Rows * routing.TopK),
            Weights = factors.Address,
            LogitsStride = input.Stride,
            WeightsStride = factors.Stride,
            NumExperts = routing.NumExperts,
            TopK = routing.TopK,
            Scoring = (int)routing.Scoring,
            Normalizes = routing.Normalizes ? 1 : 0,
            NumGroups = numGroups,
            TopKGroups = routing.TopKGroups,
            GroupScore = (int)routing.GroupScore,
            ScalingFactor = routing.ScalingFactor,
        };
        if (!choiceBias.IsAbsent)
        {
            HipOperand bias = HipOperand.Of(choiceBias).Expect(DType.F32);
            bias.Expect(1, routing.NumExperts);
            args.Bias = bias.Address;
        }

        ref HipFunction? kernel = ref _routeExperts[input.DType == DType.F32 ? 1 : 0];
        kernel ??= library.Get(new KernelUnit("moe/route_experts.hip", input.DType == DType.F32 ? "T=F32" : Activation), "route_experts", Unsafe.SizeOf<RouteExpertsArgs>());
        var lane = HipContext.Of(context);
        int floats = (2 * routing.NumExperts) + routing.TopK + numGroups;
        lane.Launch(kernel, new HipDim3(checked((uint)input.Rows)), lane.Gpu.WaveSize, args, floats * sizeof(float));
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct RouteExpertsArgs
    {
        public nint Logits, Bias, Experts, Weights;
        public long LogitsStride, WeightsStride;
        public int NumExperts, TopK, Scoring, Normalizes;
        public int NumGroups, TopKGroups, GroupScore;
        public float ScalingFactor;
    }
}
