using Rocm.Inference;

namespace CustomAttentionBackend;

/// <summary>
/// An attention backend of the application: computes attention by itself, on the host, and tells <see cref="AttentionStatistics"/> where the
/// weight lies. Made by the container, which gives it what it asks for. Stateless: what has state is the executor.
/// </summary>
internal sealed class StatisticsBackend(AttentionStatistics statistics) : IAttentionBackend
{
    // All that the executor takes into account, besides dimensions and scale.
    private const AttentionFeatures Honoured = AttentionFeatures.SlidingWindow;
    private const string Kernels = "StoreKeyValue, GatherKeyValue, own attention";

    public string Name => "ATTENTION_STATISTICS";

    public AttentionKind Kind => AttentionKind.Mha;

    public AttentionSupport CheckSupport(AttentionSpec spec, IDevice device)
    {
        var reasons = new List<string>();
        if (spec.Kind != Kind) reasons.Add($"attention kind not supported: {spec.Kind}");

        // Everything that is not known is refused, so that a model which needs it gets another backend and not a wrong answer.
        if ((spec.Features & ~Honoured) is not AttentionFeatures.None and var unknown) reasons.Add($"features not supported: {unknown}");
        if (spec.DType != DType.F32) reasons.Add($"activations not supported: {spec.DType}");
        if (device.Kind != DeviceKind.Cpu) reasons.Add($"device not supported: {device.Name}; computes on the host");
        return AttentionSupport.From(reasons);
    }

    // Keys and values are read through AttentionPrimitives, so that any layout would do.
    public KvCacheLayout GetKvCacheLayout(AttentionSpec spec) => new(KvLayoutKind.Nhd);

    // For session.Attention: all rows are computed in the same way.
    public IReadOnlyList<AttentionPhase> DescribePhases(AttentionSpec spec, IDevice device) =>
        [new("prefill", Kernels, "sample"), new("extend", Kernels, "sample"), new("decode", Kernels, "sample")];

    // The keys and values of one row at a time, see StatisticsExecutor.Run.
    public long WorkspaceBytes(AttentionSpec spec, IDevice device, BatchLimits limits) =>
        ((long)limits.MaxSeqLen * spec.NumKvHeads * (spec.HeadDim + spec.VHeadDim) * sizeof(float)) + 128 + AttentionPrimitives.GatherScratchBytes;

    public IAttentionExecutor CreateExecutor(AttentionSpec spec, AttentionResources resources) => new StatisticsExecutor(spec, resources, statistics);
}
