using Rocm.Inference.Devices;
using Rocm.Inference.Models.Weights;

namespace Rocm.Inference.Models;

/// <summary>Finds every tensor that a <see cref="DecoderSpec"/> needs under its Hugging Face name and checks type and shape.</summary>
internal sealed class DecoderSourceResolver
{
    // As the language model alone is saved, as newer and older multimodal checkpoints save it, and without the causal-LM wrapper.
    private static readonly string[] Prefixes = ["model.", "model.language_model.", "language_model.model.", ""];
    private readonly DecoderSpec _spec;
    private readonly DecoderDimensions _dimensions;
    private readonly DType _kvDType;
    private readonly CheckpointTensors _tensors;
    private readonly ITensorSource _weights;
    private readonly string _prefix;

    private DecoderSourceResolver(DecoderSpec spec, DType kvDType, ITensorSource weights)
    {
        _spec = spec;
        _dimensions = spec.Dimensions;
        _kvDType = kvDType;
        _weights = weights;
        _tensors = new CheckpointTensors(weights, spec);
        _prefix = Prefixes.FirstOrDefault(prefix => weights.Contains(prefix + "embed_tokens.weight")) ?? Prefixes[0];
    }

    /// <param name="spec">What the config says.</param>
    /// <param name="kvDType">Element type of the cache: the checkpoint's scales are read for 8-bit ones only.</param>
    /// <param name="weights">The checkpoint.</param>
    /// <exception cref="ModelLoadException">A tensor is missing or of another type or shape, or the checkpoint has a bias that the config does not know.</exception>
    public static DecoderSources Resolve(DecoderSpec spec, DType kvDType, ITensorSource weights) => new DecoderSourceResolver(spec, kvDType, weights).Resolve();

    private DecoderSources Resolve()
    {
        WeightMatrix embedding = _weights.Matrix(_prefix + "embed_tokens.weight", _dimensions.VocabSize, _dimensions.HiddenSize);
        var layers = new DecoderLayerSources[_spec.Layers.Count];
        for (int i = 0; i < layers.Length; i++) layers[i] = Layer(_spec.Layers[i], $"{_prefix}layers.{i}.");
        return new DecoderSources
        {
            Embedding = new WeightSource(new[] { embedding }),
            EmbeddingScale = _spec.ScalesEmbedding ? RoundTo(embedding.DType, Math.Sqrt(_dimensions.HiddenSize)) : 1,
            Layers = layers,
            FinalNorm = _tensors.Norm(_prefix + "norm.weight"),
            Head = _spec.TiedHead ? null : new WeightSource(new[] { _tensors.Matrix(HeadName(), _dimensions.VocabSize, _dimensions.HiddenSize) }),
            Prefix = _prefix,
        };
    }

    private string HeadName() => _prefix == "language_model.model." ? "language_model.lm_head.weight" : "lm_head.weight";

    private DecoderLayerSources Layer(DecoderLayerSpec spec, string prefix)
    {
        bool sandwich = spec.Norms == NormPlacement.Sandwich;
        return new DecoderLayerSources(
            spec.Attention switch
            {
                MhaSpec mha => MhaSources.Resolve(mha, _tensors, prefix + "self_attn."),
                MlaSpec mla => MlaSources.Resolve(mla, _tensors, prefix + "self_attn."),
                _ => throw new NotSupportedException($"No tensors are known for {spec.Attention.GetType().Name}."),
            },
            spec.Mlp switch
            {
                GatedMlpSpec gated => GatedMlpSources.Resolve(gated, _tensors, prefix + "mlp."),
                MoeSpec moe => MoeSources.Resolve(moe, _tensors, prefix),
                _ => throw new NotSupportedException($"No tensors are known for {spec.Mlp.GetType().Name}."),
            },
            AttentionNorm: _tensors.Norm(prefix + "input_layernorm.weight"),
            PostAttentionNorm: sandwich ? _tensors.Norm(prefix + "post_attention_layernorm.weight") : null,
            MlpNorm: _tensors.Norm(prefix + (sandwich ? "pre_feedforward_layernorm.weight" : "post_attention_layernorm.weight")),
            PostMlpNorm: sandwich ? _tensors.Norm(prefix + "post_feedforward_layernorm.weight") : null,
            CacheScales: CacheScaleSources.Resolve(spec.Attention, _kvDType, _weights, prefix + "self_attn."));
    }

    // The original code multiplies by a scalar of the embedding's type, which for bf16 is visibly not sqrt(hidden size).
    private static float RoundTo(DType dtype, double value) => dtype switch
    {
        DType.F16 => (float)(Half)value,
        DType.BF16 => BitConverter.UInt32BitsToSingle((uint)BFloat16Bits.Round((float)value) << 16),
        _ => (float)value,
    };
}
