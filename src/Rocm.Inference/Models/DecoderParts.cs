using Rocm.Inference.Devices;
using Rocm.Inference.Layers;
using Rocm.Inference.Models.Weights;

namespace Rocm.Inference.Models;

/// <summary>What a loaded decoder owns. Filled by <see cref="DecoderLoader"/>; disposing a half-filled one releases what is there.</summary>
internal sealed class DecoderParts(int numLayers) : IDisposable
{
    private readonly RopeTable?[] _ropeOfLayer = new RopeTable?[numLayers];

    public TokenEmbedding Embedding { get; set; } = null!;

    public DecoderLayer[] Layers { get; } = new DecoderLayer[numLayers];

    public LmHead Head { get; set; } = null!;

    /// <summary>The LM head's own weight; null when tied.</summary>
    public PackedWeight? HeadWeight { get; set; }

    public NormStorage? Norms { get; set; }

    public Dictionary<RopeParameters, RopeTable> RopeTables { get; } = [];

    /// <summary>The mapped checkpoint, when a packed weight reads it in place.</summary>
    public ModelWeights? Mapping { get; set; }

    public long ResidentBytes { get; set; }

    public RopeTable? RopeOf(int layer) => _ropeOfLayer[layer];

    public void SetRope(int layer, RopeTable? table) => _ropeOfLayer[layer] = table;

    public void Dispose()
    {
        foreach (DecoderLayer? layer in Layers) layer?.Dispose();
        Embedding?.Dispose();
        HeadWeight?.Dispose();
        Norms?.Dispose();
        foreach (RopeTable table in RopeTables.Values) table.Dispose();

        // Last: packed weights may read the mapping.
        Mapping?.Dispose();
    }
}
