using System.Diagnostics.CodeAnalysis;
using Rocm.Inference.Devices;

namespace Rocm.Inference;

/// <summary>What an executor works on. Owned by the session, which outlives the executor.</summary>
[Experimental("ROCM0001")]
public sealed class AttentionResources
{
    /// <summary>The device that runs the layers.</summary>
    public required IDevice Device { get; init; }

    /// <summary>The layers of the group, in model order.</summary>
    public required IReadOnlyList<AttentionLayerResources> Layers { get; init; }

    /// <summary>The largest step of the session.</summary>
    public required BatchLimits Limits { get; init; }
}

/// <summary>Cache and weights of one layer's attention.</summary>
[Experimental("ROCM0001")]
public sealed class AttentionLayerResources
{
    /// <summary>Index of the layer in the model, counted from 0.</summary>
    public required int LayerIndex { get; init; }

    /// <summary>The layer's cache.</summary>
    public required KvCacheView Cache { get; init; }

    /// <summary>[NumQoHeads] f32 sink logits, or absent.</summary>
    public TensorView Sinks { get; init; }

    /// <summary>[NumQoHeads] f32 ALiBi slopes, or absent.</summary>
    public TensorView AlibiSlopes { get; init; }

    /// <summary>[positions, rotary dim] f32: cosines, then sines; absent for layers without rotary embedding.</summary>
    public TensorView RopeCosSin => Rope?.CosSin ?? default;

    /// <summary>MLA: the layer's up-projections of the latent; null for Mha.</summary>
    public MlaProjections? Mla { get; init; }

    internal RopeTable? Rope { get; init; }
}
