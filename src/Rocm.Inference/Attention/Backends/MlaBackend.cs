namespace Rocm.Inference.Attention.Backends;

/// <summary>
/// A latent backend: the name of a pair of kernels, which are chosen independently (vLLM's three MLA backends differ in nothing else). Differs from its
/// namesakes on purpose: any number of heads and of new tokens per row, scales of fp8 caches are honoured everywhere, nothing is quantized unasked, and
/// what is split follows the rows' lengths.
/// </summary>
/// <param name="name">The name.</param>
/// <param name="prefill">Kernel of prefill and extend rows.</param>
/// <param name="decode">Kernel of decode rows.</param>
/// <param name="workspace">How much context is gathered at once; null for the default.</param>
internal abstract class MlaBackend(string name, MlaPrefillKernel prefill, MlaDecodeKernel decode, ContextWorkspace? workspace) : IAttentionBackend
{
    private readonly ContextWorkspace _workspace = workspace ?? ContextWorkspace.Mla;

    public string Name => name;

    public AttentionKind Kind => AttentionKind.Mla;

    public AttentionSupport CheckSupport(AttentionSpec spec, IDevice device) => AttentionChecks.Mla(spec, device);

    public IReadOnlyList<AttentionPhase> DescribePhases(AttentionSpec spec, IDevice device)
    {
        string split = decode == MlaDecodeKernel.FixedSplit ? "fixed segments" : "split by occupancy";
        return PhaseReport.Of(
            device, $"{prefill}", $"{prefill}, then per chunk of context GatherKv, {prefill}, MergeStates", $"MlaDecode ({split})");
    }

    public KvCacheLayout GetKvCacheLayout(AttentionSpec spec) => new(KvLayoutKind.MlaLatent);

    public long WorkspaceBytes(AttentionSpec spec, IDevice device, BatchLimits limits) => MlaWorkspace.Bytes(spec, device, limits, _workspace);

    public IAttentionExecutor CreateExecutor(AttentionSpec spec, AttentionResources resources) =>
        new MlaExecutor(spec, resources, prefill, decode, _workspace);
}
