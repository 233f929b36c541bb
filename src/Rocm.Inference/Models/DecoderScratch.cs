using Rocm.Inference.Devices;

namespace Rocm.Inference.Models;

/// <summary>How much of the arena a forward pass takes: the mirror of what <see cref="DecoderModel"/> and its layers ask for.</summary>
internal static class DecoderScratch
{
    private const int Alignment = 64;

    /// <param name="spec">The decoder.</param>
    /// <param name="fused">Of every layer its experts as one op, or null.</param>
    /// <param name="tokens">Tokens of the largest step.</param>
    /// <param name="activation">Element type of activations.</param>
    /// <param name="executorWorkspaceBytes">Largest workspace of an attention executor.</param>
    public static long Bytes(DecoderSpec spec, IReadOnlyList<IFusedExperts?> fused, int tokens, DType activation, long executorWorkspaceBytes)
    {
        int hiddenSize = spec.Dimensions.HiddenSize;
        long hidden = Tensor(tokens, hiddenSize, activation);
        long layer = 0;
        foreach ((DecoderLayerSpec part, IFusedExperts? experts) in spec.Layers.Zip(fused).Distinct())
        {
            layer = Math.Max(layer, Attention(part.Attention, tokens, activation, Align(executorWorkspaceBytes)));
            layer = Math.Max(layer, Mlp(part, experts, tokens, hiddenSize, activation));
        }

        return checked((2 * hidden) + layer);
    }

    private static long Attention(AttentionLayerSpec spec, int tokens, DType activation, long executor) => spec switch
    {
        MhaSpec mha => checked(
            Tensor(tokens, (mha.NumQoHeads + (2L * mha.NumKvHeads)) * mha.HeadDim, activation)
            + Tensor(tokens, (long)mha.NumQoHeads * mha.HeadDim, activation) + executor),
        MlaSpec mla => checked(
            Tensor(tokens, mla.ValueWidth, activation)
            + Math.Max(
                Tensor(tokens, mla.DownWidth, activation) + (mla.QLoraRank is null ? 0 : Tensor(tokens, mla.QueryWidth, activation)) + executor,
                Tensor(tokens, mla.ValueWidth, activation))),
        _ => throw new NotSupportedException($"No scratch is known for {spec.GetType().Name}."),
    };

    private static long Mlp(DecoderLayerSpec layer, IFusedExperts? fused, int tokens, int hiddenSize, DType activation) => layer.Mlp switch
    {
        GatedMlpSpec gated => Gated(gated.IntermediateSize, tokens, activation),
        MoeSpec moe when fused is null => Moe(moe, tokens, hiddenSize, activation),
        MoeSpec moe => Math.Max(
            Fused(moe, fused, tokens, hiddenSize, activation, isAdded: layer.Norms == NormPlacement.Pre || moe.Shared is not null),
            fused.MostTokensLeft(tokens) is var left and > 0 ? Moe(moe, left, hiddenSize, activation) : 0),
        _ => throw new NotSupportedException($"No scratch is known for {layer.Mlp.GetType().Name}."),
    };

    private static long Gated(int intermediateSize, long tokens, DType activation) =>
        checked(Tensor(tokens, 2L * intermediateSize, activation) + Tensor(tokens, intermediateSize, activation));

    private static long Moe(MoeSpec moe, int tokens, int hiddenSize, DType activation)
    {
        int topK = moe.Routing.TopK;
        long assignments = checked((long)tokens * topK);
        long routing = checked((4 * Tensor(tokens, topK, DType.I32)) + Tensor(1, moe.Routing.NumExperts + 1L, DType.I32));
        long experts = checked(
            Tensor(assignments, moe.IntermediateSize, activation)
            + Math.Max(Tensor(assignments, 2L * moe.IntermediateSize, activation), Tensor(assignments, hiddenSize, activation) + Shared(moe, tokens, hiddenSize, activation)));
        return checked(routing + Math.Max(Tensor(tokens, moe.Routing.NumExperts, DType.F32), experts));
    }

    private static long Fused(MoeSpec moe, IFusedExperts fused, int tokens, int hiddenSize, DType activation, bool isAdded) => checked(
        (2 * Tensor(tokens, moe.Routing.TopK, DType.I32))
        + Math.Max(
            Tensor(tokens, moe.Routing.NumExperts, DType.F32),
            (isAdded ? Tensor(tokens, hiddenSize, activation) : 0) + Math.Max(fused.ScratchBytes(tokens), Shared(moe, tokens, hiddenSize, activation))));

    private static long Shared(MoeSpec moe, int tokens, int hiddenSize, DType activation) => moe.Shared is not { } always ? 0 : checked(
        Gated(always.IntermediateSize, tokens, activation) + (always.Gated ? Tensor(tokens, 1, activation) + Tensor(tokens, hiddenSize, activation) : 0));

    private static long Tensor(long rows, long width, DType dtype) => Align(checked(rows * width * dtype.ByteSize()));

    private static long Align(long bytes) => checked(bytes + Alignment - 1) & ~(long)(Alignment - 1);
}
