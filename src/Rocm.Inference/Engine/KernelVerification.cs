using Rocm.Inference.Devices;
using Rocm.Inference.Models;
using Rocm.Inference.SelfTest;

namespace Rocm.Inference.Engine;

/// <summary>Compares the kernels that a session will use with a naive implementation before anything is uploaded: <see cref="InferenceSessionOptions.VerifyKernels"/>.</summary>
internal static class KernelVerification
{
    // Widths decide about no path of a kernel beyond these, and hundreds of experts have to be made up.
    private const int MaxHidden = 1024;
    private const int MaxIntermediate = 256;
    private const int MaxExpertIntermediate = 64;
    private const int MaxVocabulary = 4096;

    private static readonly int[] Tokens = [1, 6, 40];
    private static readonly PagedRow[] MixedRows = [new(41, 1), new(0, 19), new(22, 4)];
    private static readonly PagedRow[] DecodeRows = [new(75, 1), new(0, 1), new(300, 1)];

    /// <summary>Returns when every kernel is right; one that the device does not have is no mistake of it, who needs it is refused elsewhere.</summary>
    /// <exception cref="DeviceNotAvailableException">A kernel is wrong or failed.</exception>
    public static void Run(SessionPlan plan, IDevice device, CancellationToken cancellationToken)
    {
        var options = new SelfTestOptions { NumTimedRuns = 0, Kernels = KernelsOf(plan.Selection) };
        SelfTestReport report = new SelfTestRunner(options, progress: null).Run(device, SelfTestCatalog.Create([ShapeOf(plan)]), cancellationToken);
        string[] wrong = [.. report.Results.Where(result => result.Outcome == SelfTestOutcome.Failed).Select(result => result.ToString())];
        if (wrong.Length == 0) return;
        throw new DeviceNotAvailableException(
            $"{device.Name} ({device.Architecture}) computes {wrong.Length} of {report.Results.Count} checks wrong: it is not used. Choose another device, or switch "
            + $"{nameof(InferenceSessionOptions.VerifyKernels)} off to use it all the same.", wrong);
    }

    /// <summary>All kernels but attention primitives that no phase of the session names; a backend of the host that tells nothing may use any.</summary>
    private static IReadOnlyCollection<string> KernelsOf(AttentionSelection selection)
    {
        if (selection.Phases.Count == 0) return SelfTestCatalog.Kernels;
        HashSet<string> named = [.. selection.Phases.SelectMany(phase => phase.Primitives.Split([' ', ',', '(', ')', '+'], StringSplitOptions.RemoveEmptyEntries))];
        string[] primitives =
        [
            nameof(IAttentionKernels.UnifiedAttention), nameof(IAttentionKernels.PagedDecode), nameof(IAttentionKernels.MlaDecode),
            nameof(IAttentionKernels.FlashVarlen), nameof(IAttentionKernels.FlashVarlenPacked),
        ];
        return [.. SelfTestCatalog.Kernels.Where(kernel => named.Contains(kernel) || !primitives.Contains(kernel))];
    }

    private static ModelShape ShapeOf(SessionPlan plan)
    {
        DecoderSpec decoder = plan.Decoder.Config.Decoder;
        DecoderSources sources = plan.Decoder.Sources;
        GatedMlpSpec? mlp = decoder.Layers.Select(layer => layer.Mlp).OfType<GatedMlpSpec>().FirstOrDefault();
        MoeSpec? moe = decoder.Layers.Select(layer => layer.Mlp).OfType<MoeSpec>().FirstOrDefault();
        MoeSources? experts = sources.Layers.Select(layer => layer.Mlp).OfType<MoeSources>().FirstOrDefault();
        HashSet<WeightSource> expertMatrices = experts is null ? [] : [.. sources.Layers.Select(layer => layer.Mlp).OfType<MoeSources>().SelectMany(mlp => mlp.GateUp.Concat(mlp.Down))];
        DType[] types = [.. sources.Matrices.Where(source => !expertMatrices.Contains(source)).SelectMany(source => source.Parts.ToArray()).Select(part => part.DType).Distinct()];
        return new ModelShape
        {
            Hidden = Math.Min(decoder.Dimensions.HiddenSize, MaxHidden),
            Intermediate = Math.Min(mlp?.IntermediateSize ?? decoder.Dimensions.IntermediateSize, MaxIntermediate),
            Vocabulary = Math.Min(decoder.Dimensions.VocabSize, MaxVocabulary),
            Gate = mlp?.Activation ?? moe?.Activation ?? ActivationKind.Silu,
            EmbeddingScale = sources.EmbeddingScale,
            NormOffset = decoder.NormOffset,
            LogitsSoftCap = decoder.FinalSoftCap,
            WeightTypes = types,
            Experts = moe is null || experts is null ? null
                : new MoeShape(moe.Routing, Math.Min(moe.IntermediateSize, MaxExpertIntermediate), experts.Down[0].Parts.Span[0].DType, moe.ChoiceBias),
            Attention = [.. plan.Decoder.Groups.Groups.Select(group => new AttentionShape(group.Spec, plan.Layout.Kind, plan.BlockSize)).Distinct()],
            Tokens = Tokens,
            MixedRows = MixedRows,
            DecodeRows = DecodeRows,
        };
    }
}
