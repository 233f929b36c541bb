using Rocm.Inference.Devices;

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
        string flash = prefill == MlaPrefillKernel.FlashVarlenPacked ? "FlashVarlenPacked" : "FlashVarlen";
        string extend = $"{flash}, then per chunk of context GatherKv, {flash}, MergeStates";
        IReadOnlyList<AttentionPhase> own = PhaseReport.Of(device, flash, extend, "MlaDecode (fixed segments)");
        return
        [
            prefill == MlaPrefillKernel.AiterFlashVarlen ? PhaseReport.OfAiter(device, spec, AiterPrimitive.FlashVarlen, "prefill", flash) : own[0],
            prefill == MlaPrefillKernel.AiterFlashVarlen ? PhaseReport.OfAiter(device, spec, AiterPrimitive.FlashVarlen, "extend", extend) : own[1],
            decode == MlaDecodeKernel.FixedSplit ? own[2] : PhaseReport.OfAiter(device, spec, AiterPrimitive.MlaDecode, "decode", "MlaDecode (split by occupancy)"),
        ];
    }

    public KvCacheLayout GetKvCacheLayout(AttentionSpec spec) => new(KvLayoutKind.MlaLatent);

    public long WorkspaceBytes(AttentionSpec spec, IDevice device, BatchLimits limits) => MlaWorkspace.Bytes(spec, device, limits, _workspace);

    public IAttentionExecutor CreateExecutor(AttentionSpec spec, AttentionResources resources) =>
        new MlaExecutor(spec, resources, prefill, decode, _workspace);
}
