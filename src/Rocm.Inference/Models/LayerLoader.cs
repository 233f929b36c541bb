using Rocm.Inference.Devices;
using Rocm.Inference.Layers;

namespace Rocm.Inference.Models;

/// <summary>Makes a decoder layer of its sources.</summary>
/// <param name="uploader">Owns what is packed until the layer is complete.</param>
/// <param name="parts">Receives what the layer's executor needs.</param>
internal sealed class LayerLoader(WeightUploader uploader, DecoderParts parts)
{
    // The published code gives the norms of latents their class's default, whatever the config says.
    private const float LatentNormEps = 1e-6f;

    public void Load(int layer, DecoderLayerSpec spec, DecoderLayerSources sources)
    {
        RmsNorm attentionNorm = uploader.Norm(sources.AttentionNorm);
        RmsNorm mlpNorm = uploader.Norm(sources.MlpNorm);
        RmsNorm? postAttentionNorm = uploader.OptionalNorm(sources.PostAttentionNorm);
        RmsNorm? postMlpNorm = uploader.OptionalNorm(sources.PostMlpNorm);
        var attentionParts = new AttentionParts
        {
            Rope = spec.Attention.Rope is { } rope ? parts.RopeTables[rope] : null,
            KeyScales = uploader.Vector(sources.CacheScales.Key),
            ValueScales = uploader.Vector(sources.CacheScales.Value),
        };
        (AttentionLayer attention, attentionParts) = (spec.Attention, sources.Attention) switch
        {
            (MhaSpec mha, MhaSources tensors) => (Mha(mha, tensors), attentionParts with { Sinks = uploader.Vector(tensors.Sinks) }),
            (MlaSpec mla, MlaSources tensors) => Mla(mla, tensors, attentionParts),
            _ => throw new NotSupportedException($"{spec.Attention.GetType().Name} cannot be loaded."),
        };
        MlpLayer mlp = (spec.Mlp, sources.Mlp) switch
        {
            (GatedMlpSpec gated, GatedMlpSources tensors) => Gated(tensors, gated.Activation),
            (MoeSpec moe, MoeSources tensors) => Moe(moe, tensors),
            _ => throw new NotSupportedException($"{spec.Mlp.GetType().Name} cannot be loaded."),
        };
        parts.Attention[layer] = attentionParts;
        parts.Layers[layer] = new DecoderLayer(attention, mlp, attentionNorm, mlpNorm, postAttentionNorm, postMlpNorm);
        uploader.HandOver();
    }

    private MhaAttention Mha(MhaSpec spec, MhaSources sources)
    {
        RmsNorm? queryNorm = uploader.OptionalNorm(sources.QueryNorm);
        RmsNorm? keyNorm = uploader.OptionalNorm(sources.KeyNorm);
        return new MhaAttention(
            uploader.Linear(sources.Qkv), uploader.Linear(sources.Output), queryNorm, keyNorm, spec.NumQoHeads, spec.NumKvHeads, spec.HeadDim);
    }

    private (AttentionLayer Attention, AttentionParts Parts) Mla(MlaSpec spec, MlaSources sources, AttentionParts attentionParts)
    {
        RmsNorm? queryNorm = sources.QueryNorm is { } weight ? uploader.Norm(weight, LatentNormEps) : null;
        RmsNorm latentNorm = uploader.Norm(sources.LatentNorm, LatentNormEps);
        Linear down = uploader.Linear(sources.Down);
        Linear? queryUp = sources.QueryUp is { } up ? uploader.Linear(up) : null;
        var latent = new LatentProjection(spec, sources.LatentUp);
        PackedWeight keyValue = uploader.Pack(latent.KeyValue);
        PackedWeightGroup absorbQuery = uploader.PackGroup(latent.AbsorbQuery);
        PackedWeightGroup projectValue = uploader.PackGroup(latent.ProjectValue);
        var widths = new MlaWidths(spec.NumHeads, spec.QkNopeHeadDim, spec.QkRopeHeadDim, spec.KvLoraRank, spec.VHeadDim);
        var attention = new MlaAttention(down, queryNorm, queryUp, latentNorm, uploader.Linear(sources.Output), widths);
        attentionParts = attentionParts with
        {
            Mla = new MlaProjections(keyValue, absorbQuery, projectValue),
            Owned = [keyValue, absorbQuery, projectValue],
        };
        return (attention, attentionParts);
    }

    private GatedMlp Gated(GatedMlpSources sources, ActivationKind activation) =>
        new(uploader.Linear(sources.GateUp), uploader.Linear(sources.Down), activation);

    private MoeMlp Moe(MoeSpec spec, MoeSources sources)
    {
        Linear router = uploader.Linear(sources.Router);
        PackedWeightGroup gateUp = uploader.PackGroup(sources.GateUp);
        PackedWeightGroup down = uploader.PackGroup(sources.Down);
        SharedExpert? shared = sources.Shared is { } tensors
            ? new SharedExpert(Gated(tensors, spec.Activation), sources.SharedGate is { } gate ? uploader.Linear(gate) : null) : null;
        return new MoeMlp(
            router, uploader.Vector(sources.ChoiceBias), spec.Routing, gateUp, down, spec.Activation, spec.ActivationLimit, shared, uploader.FuseExperts(spec, sources));
    }
}
