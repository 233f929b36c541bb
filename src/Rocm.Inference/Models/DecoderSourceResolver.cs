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
    private readonly ITensorSource _weights;
    private readonly string _prefix;

    private DecoderSourceResolver(DecoderSpec spec, ITensorSource weights)
    {
        _spec = spec;
        _dimensions = spec.Dimensions;
        _weights = weights;
        _prefix = Prefixes.FirstOrDefault(prefix => weights.Contains(prefix + "embed_tokens.weight")) ?? Prefixes[0];
    }

    /// <exception cref="ModelLoadException">A tensor is missing or of another type or shape, or the checkpoint has a bias that the config does not know.</exception>
    public static DecoderSources Resolve(DecoderSpec spec, ITensorSource weights) => new DecoderSourceResolver(spec, weights).Resolve();

    private DecoderSources Resolve()
    {
        WeightMatrix embedding = _weights.Matrix(_prefix + "embed_tokens.weight", _dimensions.VocabSize, _dimensions.HiddenSize);
        var layers = new DecoderLayerSources[_spec.Layers.Count];
        for (int i = 0; i < layers.Length; i++) layers[i] = Layer(_spec.Layers[i], $"{_prefix}layers.{i}.");
        return new DecoderSources
        {
            Embedding = Source([embedding]),
            EmbeddingScale = _spec.ScalesEmbedding ? RoundTo(embedding.DType, Math.Sqrt(_dimensions.HiddenSize)) : 1,
            Layers = layers,
            FinalNorm = _weights.Vector(_prefix + "norm.weight", _dimensions.HiddenSize),
            Head = _spec.TiedHead ? null : Source([_weights.Matrix(HeadName(), _dimensions.VocabSize, _dimensions.HiddenSize)]),
        };
    }

    private string HeadName() => _prefix == "language_model.model." ? "language_model.lm_head.weight" : "lm_head.weight";

    private DecoderLayerSources Layer(DecoderLayerSpec spec, string prefix)
    {
        bool sandwich = spec.Norms == NormPlacement.Sandwich;
        return new DecoderLayerSources(
            spec.Attention switch
            {
                MhaSpec mha => Mha(mha, prefix + "self_attn."),
                _ => throw new NotSupportedException($"No tensors are known for {spec.Attention.GetType().Name}."),
            },
            spec.Mlp switch
            {
                GatedMlpSpec gated => GatedMlp(gated, prefix + "mlp."),
                _ => throw new NotSupportedException($"No tensors are known for {spec.Mlp.GetType().Name}."),
            },
            AttentionNorm: Norm(prefix + "input_layernorm.weight"),
            PostAttentionNorm: sandwich ? Norm(prefix + "post_attention_layernorm.weight") : null,
            MlpNorm: Norm(prefix + (sandwich ? "pre_feedforward_layernorm.weight" : "post_attention_layernorm.weight")),
            PostMlpNorm: sandwich ? Norm(prefix + "post_feedforward_layernorm.weight") : null);
    }

    private MhaSources Mha(MhaSpec spec, string prefix)
    {
        int hidden = _dimensions.HiddenSize;
        int q = spec.NumQoHeads * spec.HeadDim;
        int kv = spec.NumKvHeads * spec.HeadDim;
        WeightSource qkv = spec.FusedQkv
            ? Stack(spec.QkvBias, hidden, (prefix + "qkv_proj", q + (2 * kv)))
            : Stack(spec.QkvBias, hidden, (prefix + "q_proj", q), (prefix + "k_proj", kv), (prefix + "v_proj", kv));
        return new MhaSources(
            qkv,
            Stack(spec.OutputBias, q, (prefix + "o_proj", hidden)),
            spec.QkNorm ? _weights.Vector(prefix + "q_norm.weight", spec.HeadDim) : null,
            spec.QkNorm ? _weights.Vector(prefix + "k_norm.weight", spec.HeadDim) : null);
    }

    private GatedMlpSources GatedMlp(GatedMlpSpec spec, string prefix)
    {
        int hidden = _dimensions.HiddenSize;
        WeightSource gateUp = spec.FusedGateUp
            ? Stack(spec.Bias, hidden, (prefix + "gate_up_proj", 2 * spec.IntermediateSize))
            : Stack(spec.Bias, hidden, (prefix + "gate_proj", spec.IntermediateSize), (prefix + "up_proj", spec.IntermediateSize));
        return new GatedMlpSources(gateUp, Stack(spec.Bias, spec.IntermediateSize, (prefix + "down_proj", hidden)));
    }

    private WeightSource Stack(bool hasBias, int columns, params ReadOnlySpan<(string Name, int Rows)> parts)
    {
        var matrices = new WeightMatrix[parts.Length];
        var biases = new List<float>();
        for (int i = 0; i < parts.Length; i++)
        {
            (string name, int rows) = parts[i];
            matrices[i] = _weights.Matrix(name + ".weight", rows, columns);
            if (hasBias) biases.AddRange(_weights.Vector(name + ".bias", rows));
            else RefuseBias(name + ".bias");
        }

        return Source(matrices, hasBias ? [.. biases] : null);
    }

    // Leaving it out would give a model that runs and is wrong.
    private void RefuseBias(string name)
    {
        if (_weights.Find(name) is { } bias)
            throw new ModelLoadException("The checkpoint has a bias that the config does not mention.", _weights.Path, name, $"no bias in this {_spec.Family} model", bias.Description);
    }

    private float[] Norm(string name) => _weights.Vector(name, _dimensions.HiddenSize);

    private static WeightSource Source(WeightMatrix[] parts, float[]? bias = null) => new(parts, bias);

    // The original code multiplies by a scalar of the embedding's type, which for bf16 is visibly not sqrt(hidden size).
    private static float RoundTo(DType dtype, double value) => dtype switch
    {
        DType.F16 => (float)(Half)value,
        DType.BF16 => RoundToBFloat16((float)value),
        _ => (float)value,
    };

    private static float RoundToBFloat16(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return BitConverter.UInt32BitsToSingle((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000);
    }
}
