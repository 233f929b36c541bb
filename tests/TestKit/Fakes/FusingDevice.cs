using Rocm.Inference.Devices;

namespace Rocm.Inference.TestKit.Fakes;

/// <summary>
/// A device that computes like another and has gated experts as one op: of the other's ops, for steps of some tokens. What that op leaves in its scratch memory and
/// in y before it adds are NaN, so that a layer that counts on either is seen.
/// </summary>
/// <param name="inner">Another device, of float activations.</param>
/// <param name="minTokens">Steps of fewer tokens are left to the ops.</param>
/// <param name="scratchBytes">Scratch memory that the op takes besides that of the ops: more than a layer needs otherwise, or less.</param>
internal sealed class FusingDevice(IDevice inner, int minTokens, long scratchBytes) : IDevice
{
    /// <summary>Steps that the op has computed.</summary>
    public int NumRuns { get; private set; }

    public DeviceKind Kind => inner.Kind;

    public string Name => inner.Name;

    public string Architecture => inner.Architecture;

    public int ComputeUnits => inner.ComputeUnits;

    public long TotalMemoryBytes => inner.TotalMemoryBytes;

    public long AvailableMemoryBytes => inner.AvailableMemoryBytes;

    public DType ActivationDType => inner.ActivationDType;

    IKernels IDevice.Kernels => inner.Kernels;

    IAttentionKernels IDevice.AttentionKernels => inner.AttentionKernels;

    ISamplingKernels IDevice.SamplingKernels => inner.SamplingKernels;

    public DeviceBuffer Allocate(long sizeBytes) => inner.Allocate(sizeBytes);

    public DeviceContext CreateContext(long arenaBytes) => inner.CreateContext(arenaBytes);

    PackedWeight IDevice.Pack(in WeightSource source) => inner.Pack(source);

    PackedWeightGroup IDevice.PackGroup(ReadOnlySpan<WeightSource> members) => inner.PackGroup(members);

    IFusedExperts? IDevice.FuseExperts(
        MoeRouting routing, ReadOnlySpan<WeightSource> gateUp, ReadOnlySpan<WeightSource> down, ActivationKind activation, out IReadOnlyList<string> reasons)
    {
        reasons = activation == ActivationKind.Silu ? [] : ["Only SiLU is fused."];
        return activation == ActivationKind.Silu ? new FusedOps(this, routing, down[0].Parts.Span[0].Columns, down[0].Parts.Span[0].Rows) : null;
    }

    /// <summary>The inner device is its creator's.</summary>
    public void Dispose()
    {
    }

    private int MinTokens => minTokens;

    private long Extra => scratchBytes;

    private sealed record FusedOps(FusingDevice Device, MoeRouting Routing, int Inner, int Width) : IFusedExperts
    {
        private const int Alignment = 64;

        public KernelProvider Provider => new("fake", []);

        public bool Takes(int tokens) => tokens >= Device.MinTokens;

        public int MostTokensLeft(int maxTokens) => Math.Min(maxTokens, Device.MinTokens - 1);

        public long ScratchBytes(int tokens)
        {
            long count = (long)tokens * Routing.TopK * sizeof(float);
            return Align(Device.Extra) + Align((Routing.NumExperts + 1) * sizeof(int)) + (2 * Align(count)) + Align(count * Inner) + Align(count * 2 * Inner) + Align(count * Width);
        }

        public void Tune(int maxTokens, CancellationToken cancellationToken)
        {
        }

        public void Run(DeviceContext context, TensorView x, PackedWeightGroup gateUp, PackedWeightGroup down, TensorView experts, TensorView weights, TensorView y)
        {
            long mark = context.Mark(), count = x.Dim(0) * Routing.TopK;
            IKernels kernels = context.Device.Kernels;
            context.Scratch(DType.U8, Device.Extra);
            TensorView offsets = context.Scratch(DType.I32, Routing.NumExperts + 1), order = context.Scratch(DType.I32, count), places = context.Scratch(DType.I32, count);
            TensorView gated = context.Scratch(DType.F32, count, Inner), both = context.Scratch(DType.F32, count, 2 * Inner), routed = context.Scratch(DType.F32, count, Width);
            kernels.SortByExpert(context, experts, offsets, order, places);
            kernels.GroupedLinear(context, x, gateUp, offsets, order, Routing.TopK, both);
            kernels.GatedActivation(context, both, ActivationKind.Silu, gated);
            kernels.GroupedLinear(context, gated, down, offsets, order: default, topK: 1, routed);
            y.AsSpan<float>().Fill(float.NaN);
            kernels.CombineExperts(context, routed, places, weights, y, accumulate: false);
            both.AsSpan<float>().Fill(float.NaN);
            context.Release(mark);
            Device.NumRuns++;
        }

        private static long Align(long bytes) => (bytes + Alignment - 1) & ~(Alignment - 1L);
    }
}
