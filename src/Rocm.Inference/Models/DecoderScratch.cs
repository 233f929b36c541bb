namespace Rocm.Inference.Models;

/// <summary>How much of the arena a forward pass takes: the mirror of what <see cref="DecoderModel"/> and its layers ask for.</summary>
internal static class DecoderScratch
{
    private const int Alignment = 64;

    public static long Bytes(DecoderSpec spec, int tokens, DType activation, long executorWorkspaceBytes)
    {
        long hidden = Tensor(tokens, spec.Dimensions.HiddenSize, activation);
        long layer = 0;
        foreach (DecoderLayerSpec part in spec.Layers.Distinct())
        {
            layer = Math.Max(layer, checked(Attention(part.Attention, tokens, activation) + Align(executorWorkspaceBytes)));
            layer = Math.Max(layer, Mlp(part.Mlp, tokens, activation));
        }

        return checked((2 * hidden) + layer);
    }

    private static long Attention(AttentionLayerSpec spec, int tokens, DType activation) => spec switch
    {
        MhaSpec mha => checked(
            Tensor(tokens, (mha.NumQoHeads + (2L * mha.NumKvHeads)) * mha.HeadDim, activation) + Tensor(tokens, (long)mha.NumQoHeads * mha.HeadDim, activation)),
        _ => throw new NotSupportedException($"No scratch is known for {spec.GetType().Name}."),
    };

    private static long Mlp(MlpSpec spec, int tokens, DType activation) => spec switch
    {
        GatedMlpSpec gated => checked(Tensor(tokens, 2L * gated.IntermediateSize, activation) + Tensor(tokens, gated.IntermediateSize, activation)),
        _ => throw new NotSupportedException($"No scratch is known for {spec.GetType().Name}."),
    };

    private static long Tensor(int tokens, long width, DType dtype) => Align(checked(tokens * width * dtype.ByteSize()));

    private static long Align(long bytes) => checked(bytes + Alignment - 1) & ~(long)(Alignment - 1);
}
