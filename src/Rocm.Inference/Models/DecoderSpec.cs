using Rocm.Inference.Devices;
using Rocm.Inference.Layers;

namespace Rocm.Inference.Models;

/// <summary>A decoder as data: what its layers are made of and which tensors they take. Made by a family, executed by <see cref="DecoderModel"/>.</summary>
internal sealed record DecoderSpec
{
    /// <summary>The family's name, for messages.</summary>
    public required string Family { get; init; }

    public required DecoderDimensions Dimensions { get; init; }

    /// <summary>The layers in order.</summary>
    public required IReadOnlyList<DecoderLayerSpec> Layers { get; init; }

    /// <summary>True when the LM head is the embedding.</summary>
    public required bool TiedHead { get; init; }

    /// <summary>Added to every norm weight: 1 for Gemma, whose checkpoints store weight − 1.</summary>
    public float NormOffset { get; init; }

    /// <summary>Gemma: embeddings are scaled by sqrt(hidden size), rounded to the embedding's element type.</summary>
    public bool ScalesEmbedding { get; init; }

    /// <summary>c of c·tanh(logits/c); 0 = none.</summary>
    public float FinalSoftCap { get; init; }

    /// <summary>How the checkpoint's matrices are stored.</summary>
    public WeightQuantization Quantization { get; init; }

    /// <summary>
    /// Layers behind the last one that predict further tokens (DeepSeek's MTP, section 2.2 of the V3 report). They are not run, and their tensors not read.
    /// </summary>
    public int NumPredictorLayers { get; init; }
}

/// <summary>Where a layer's norms are.</summary>
internal enum NormPlacement
{
    /// <summary>Before attention and before the MLP.</summary>
    Pre,

    /// <summary>Before and after both (Gemma 2 and 3).</summary>
    Sandwich,
}

/// <summary>One layer.</summary>
internal sealed record DecoderLayerSpec(AttentionLayerSpec Attention, MlpSpec Mlp, NormPlacement Norms = NormPlacement.Pre);

/// <summary>The attention of one layer, before the session's choices are known.</summary>
internal abstract record AttentionLayerSpec
{
    /// <summary>What a backend must honour.</summary>
    public abstract AttentionSpec ToAttentionSpec(in ModelRuntimeSettings settings, DType activation);

    /// <summary>The rotary embedding, or null.</summary>
    public RopeParameters? Rope { get; init; }
}

/// <summary>Multi-head, grouped-query or multi-query attention.</summary>
internal sealed record MhaSpec : AttentionLayerSpec
{
    public required int NumQoHeads { get; init; }

    public required int NumKvHeads { get; init; }

    public required int HeadDim { get; init; }

    public required float SoftmaxScale { get; init; }

    public float LogitsSoftCap { get; init; }

    public int? SlidingWindow { get; init; }

    /// <summary>q, k and v have biases.</summary>
    public bool QkvBias { get; init; }

    /// <summary>The output projection has a bias.</summary>
    public bool OutputBias { get; init; }

    /// <summary>q and k heads are RMS-normalised before rotation.</summary>
    public bool QkNorm { get; init; }

    /// <summary>The checkpoint stores q, k and v as one tensor, qkv_proj.</summary>
    public bool FusedQkv { get; init; }

    /// <summary>Each query head has a sink logit.</summary>
    public bool Sinks { get; init; }

    public override AttentionSpec ToAttentionSpec(in ModelRuntimeSettings settings, DType activation) => new()
    {
        NumQoHeads = NumQoHeads,
        NumKvHeads = NumKvHeads,
        HeadDim = HeadDim,
        VHeadDim = HeadDim,
        SoftmaxScale = SoftmaxScale,
        LogitsSoftCap = LogitsSoftCap,
        // A window that no sequence can outgrow is no window: such layers share a group with those that see everything.
        SlidingWindow = SlidingWindow < settings.MaxSeqLen ? SlidingWindow : null,
        HasSinks = Sinks,
        DType = activation,
        KvDType = settings.KvDType,
        MaxSeqLen = settings.MaxSeqLen,
    };
}

/// <summary>The feed-forward part of a layer.</summary>
internal abstract record MlpSpec;

/// <summary>y = down(act(gate(x)) · up(x)).</summary>
internal sealed record GatedMlpSpec : MlpSpec
{
    public required int IntermediateSize { get; init; }

    public ActivationKind Activation { get; init; } = ActivationKind.Silu;

    public bool Bias { get; init; }

    /// <summary>The checkpoint stores gate and up as one tensor, gate_up_proj.</summary>
    public bool FusedGateUp { get; init; }
}
