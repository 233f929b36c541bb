using Rocm.Inference.Devices;
using Rocm.Inference.Layers;
using Rocm.Inference.Models.Weights;

namespace Rocm.Inference.Models;

/// <summary>What of a layer's weights its attention executor needs, for <see cref="AttentionLayerResources"/>. Owned by the model.</summary>
internal sealed record AttentionParts
{
    /// <summary>Shared by layers with equal parameters; null without rotary embedding.</summary>
    public RopeTable? Rope { get; init; }

    /// <summary>[Hq] f32, or absent.</summary>
    public TensorView Sinks { get; init; }

    /// <summary>[1] or [KV heads] f32, or absent.</summary>
    public TensorView KeyScales { get; init; }

    /// <summary>[1] or [KV heads] f32, or absent.</summary>
    public TensorView ValueScales { get; init; }

    /// <summary>The up-projections of the latent, or null.</summary>
    public MlaProjections? Mla { get; init; }

    /// <summary>The packed weights of <see cref="Mla"/>.</summary>
    public IReadOnlyList<IDisposable> Owned { get; init; } = [];
}

/// <summary>What a loaded decoder owns. Filled by <see cref="DecoderLoader"/>; disposing a half-filled one releases what is there.</summary>
internal sealed class DecoderParts(int numLayers) : IDisposable
{
    public TokenEmbedding Embedding { get; set; } = null!;

    public DecoderLayer[] Layers { get; } = new DecoderLayer[numLayers];

    public AttentionParts[] Attention { get; } = new AttentionParts[numLayers];

    public LmHead Head { get; set; } = null!;

    /// <summary>The LM head's own weight; null when tied.</summary>
    public PackedWeight? HeadWeight { get; set; }

    public NormStorage? Norms { get; set; }

    public Dictionary<RopeParameters, RopeTable> RopeTables { get; } = [];

    /// <summary>The mapped checkpoint, when a packed weight reads it in place.</summary>
    public ModelWeights? Mapping { get; set; }

    public long ResidentBytes { get; set; }

    public void Dispose()
    {
        foreach (DecoderLayer? layer in Layers) layer?.Dispose();
        foreach (IDisposable weight in Attention.SelectMany(parts => parts?.Owned ?? [])) weight.Dispose();
        Embedding?.Dispose();
        HeadWeight?.Dispose();
        Norms?.Dispose();
        foreach (RopeTable table in RopeTables.Values) table.Dispose();

        // Last: packed weights may read the mapping.
        Mapping?.Dispose();
    }
}
