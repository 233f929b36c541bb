using Rocm.Inference.Devices;
using Rocm.Inference.SelfTest.Checks;

namespace Rocm.Inference.SelfTest;

/// <summary>All checks: every op of a device at the shapes of a few kinds of models.</summary>
internal static class SelfTestCatalog
{
    /// <summary>Names of all kernels, in the order of their checks.</summary>
    public static IReadOnlyList<string> Kernels { get; } =
    [
        nameof(IKernels.RmsNorm), nameof(IKernels.AddRmsNorm), nameof(IKernels.GatedActivation), nameof(IKernels.Add), nameof(IKernels.GatherRows),
        nameof(IKernels.Scale), nameof(IKernels.SoftCap), nameof(IKernels.GateRows), nameof(IKernels.Linear), nameof(IKernels.Embedding),
        nameof(IKernels.LinearPerHead), nameof(IKernels.RouteExperts), nameof(IKernels.SortByExpert), nameof(IKernels.GroupedLinear),
        nameof(IKernels.CombineExperts), nameof(IAttentionKernels.RopeStoreKv), nameof(IAttentionKernels.GatherKv),
        nameof(IAttentionKernels.UnifiedAttention), nameof(IAttentionKernels.PagedDecode), nameof(IAttentionKernels.MlaDecode),
        nameof(IAttentionKernels.FlashVarlen), nameof(IAttentionKernels.FlashVarlenPacked), nameof(IAttentionKernels.MergeStates),
        nameof(ISamplingKernels.Sample),
    ];

    /// <summary>The checks of a size.</summary>
    /// <param name="size">Size of the operands.</param>
    /// <param name="activation">The device's activation type.</param>
    public static IReadOnlyList<SelfTestCheck> Create(SelfTestSize size, DType activation) =>
        Create(size == SelfTestSize.Full ? FullModels.All(activation) : SmallModels.All(activation));

    /// <summary>The checks of some models, in the order of kernels; what two models have in common is checked once.</summary>
    public static IReadOnlyList<SelfTestCheck> Create(IEnumerable<ModelShape> models)
    {
        List<ModelShape> all = [.. models];
        List<string> order = [.. Kernels];
        return [.. all.SelectMany(ChecksOf).Concat(SamplingChecks.Of(all.MaxBy(model => model.Vocabulary)!))
            .DistinctBy(check => (check.Kernel, check.Shape)).OrderBy(check => order.IndexOf(check.Kernel))];
    }

    private static IEnumerable<SelfTestCheck> ChecksOf(ModelShape model)
    {
        IEnumerable<SelfTestCheck> checks = DenseChecks.Of(model).Concat(LinearChecks.Of(model)).Concat(MoeChecks.Of(model));
        foreach (AttentionShape shape in model.Attention)
            checks = checks.Concat(CacheChecks.Of(model, shape)).Concat(PagedChecks.Of(model, shape)).Concat(FlashChecks.Of(model, shape));
        return checks;
    }
}
