using Rocm.Inference.Devices;

namespace Rocm.Inference.Models;

/// <summary>How a checkpoint names and stores experts.</summary>
internal enum MoeNaming
{
    /// <summary>mlp.gate; mlp.experts.N.gate_proj, up_proj, down_proj.</summary>
    Standard,

    /// <summary>block_sparse_moe.gate; block_sparse_moe.experts.N.w1 (gate), w3 (up), w2 (down).</summary>
    Mixtral,

    /// <summary>
    /// mlp.router; all experts of a layer in one tensor, gate and up interleaved: mlp.experts.gate_up_proj [E, hidden, 2F] and down_proj
    /// [E, F, hidden], or in MXFP4 as *_blocks [E, rows, columns/32, 16] and *_scales [E, rows, columns/32], rows being output features.
    /// </summary>
    GptOss,
}

/// <summary>A mixture of experts: each token goes through the best few of many gated MLPs, and perhaps through one that all share.</summary>
internal sealed record MoeSpec : MlpSpec
{
    public required MoeRouting Routing { get; init; }

    /// <summary>F of one expert.</summary>
    public required int IntermediateSize { get; init; }

    public ActivationKind Activation { get; init; } = ActivationKind.Silu;

    /// <summary>Bound of <see cref="ActivationKind.ClampedSwiGlu"/>.</summary>
    public float ActivationLimit { get; init; }

    public MoeNaming Naming { get; init; }

    /// <summary>Router and experts have biases.</summary>
    public bool Bias { get; init; }

    /// <summary>The router has e_score_correction_bias, which counts for the choice only.</summary>
    public bool ChoiceBias { get; init; }

    /// <summary>The expert that every token goes through, or null.</summary>
    public SharedExpertSpec? Shared { get; init; }
}

/// <param name="Name">Name in the checkpoint: shared_expert or shared_experts.</param>
/// <param name="IntermediateSize">F.</param>
/// <param name="Gated">Its output is multiplied by sigmoid(x · shared_expert_gate).</param>
internal sealed record SharedExpertSpec(string Name, int IntermediateSize, bool Gated);
