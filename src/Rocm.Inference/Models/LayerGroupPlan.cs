namespace Rocm.Inference.Models;

/// <summary>Layers that share an <see cref="AttentionSpec"/>, an executor, a block table and a slot mapping.</summary>
/// <param name="Index">Index in <see cref="LayerGroupPlan.Groups"/> and <see cref="ForwardBatch.Groups"/>.</param>
/// <param name="Spec">What the group's backend must honour.</param>
/// <param name="Layers">Model layers, ascending; the position in this list is the layer index that the executor is given.</param>
internal sealed record LayerGroup(int Index, AttentionSpec Spec, IReadOnlyList<int> Layers)
{
    /// <summary>Sliding window of the group, or null.</summary>
    public int? Window => Spec.SlidingWindow;
}

/// <summary>
/// Divides the layers into groups so that all groups can share one pool of equal-byte blocks: a block of any group holds
/// <see cref="LayersPerBlock"/> layers' keys and values of one run of tokens. Layers of one kind alone make one group. With several kinds (Gemma:
/// with and without window) every kind is cut into groups of the smaller kind's count; a group that is not full wastes the rest of its blocks.
/// </summary>
internal sealed class LayerGroupPlan
{
    // More groups than this cost more per step, in block tables and plans, than padding wastes in memory.
    private const int MaxGroups = 16;
    private readonly (int Group, int Index)[] _places;

    private LayerGroupPlan(IReadOnlyList<LayerGroup> groups, int layersPerBlock, int numLayers)
    {
        Groups = groups;
        LayersPerBlock = layersPerBlock;
        _places = new (int, int)[numLayers];
        foreach (LayerGroup group in groups)
        {
            for (int i = 0; i < group.Layers.Count; i++) _places[group.Layers[i]] = (group.Index, i);
        }
    }

    /// <summary>The groups; kinds in the order of their first layers.</summary>
    public IReadOnlyList<LayerGroup> Groups { get; }

    /// <summary>Layers whose keys and values one block holds; groups with fewer layers leave the rest of a block unused.</summary>
    public int LayersPerBlock { get; }

    /// <summary>Divides the layers.</summary>
    /// <param name="layers">The spec of each layer's attention, in model order.</param>
    /// <exception cref="ModelLoadException">Kinds of layers need different bytes per token, so that they cannot share a pool.</exception>
    public static LayerGroupPlan Create(IReadOnlyList<AttentionSpec> layers)
    {
        ArgumentOutOfRangeException.ThrowIfZero(layers.Count, nameof(layers));
        var kinds = new List<(AttentionSpec Spec, List<int> Layers)>();
        for (int layer = 0; layer < layers.Count; layer++)
        {
            int kind = kinds.FindIndex(k => k.Spec == layers[layer]);
            if (kind < 0) kinds.Add((layers[layer], [layer]));
            else kinds[kind].Layers.Add(layer);
        }

        RefuseUnequalBytes(kinds);
        int size = GroupSize([.. kinds.Select(kind => kind.Layers.Count)]);
        var groups = new List<LayerGroup>();
        foreach ((AttentionSpec spec, List<int> members) in kinds)
        {
            int count = Groups(members.Count, size);

            // Dealt out in turns, so that the groups of a kind differ by one layer at most.
            for (int i = 0; i < count; i++)
                groups.Add(new LayerGroup(groups.Count, spec, [.. members.Where((_, position) => position % count == i)]));
        }

        return new LayerGroupPlan(groups, groups.Max(group => group.Layers.Count), layers.Count);

        static int Groups(int members, int size) => (members + size - 1) / size;
    }

    /// <summary>Group of a layer, and its index within the group.</summary>
    /// <param name="layer">Model layer.</param>
    public (int Group, int Index) Locate(int layer) => _places[layer];

    /// <summary>Bytes of one block, the same for every group.</summary>
    /// <param name="blockSize">Tokens per block.</param>
    public long BytesPerBlock(int blockSize) => checked(LayersPerBlock * blockSize * BytesPerToken(Groups[0].Spec));

    /// <summary>Bytes of keys and values of one token in one layer.</summary>
    public static long BytesPerToken(AttentionSpec spec)
    {
        long elements = spec.Kind == AttentionKind.Mla
            ? spec.KvLoraRank + spec.QkRopeHeadDim
            : (long)spec.NumKvHeads * (spec.HeadDim + spec.VHeadDim);
        return elements * spec.KvDType.ByteSize();
    }

    // The smaller kind's count; the larger kind's when it is less than half as large again, since then padding wastes less than more groups cost.
    private static int GroupSize(int[] counts)
    {
        int size = counts.Min();
        if (counts.Max() < size * 1.5) size = counts.Max();
        while (counts.Sum(count => (count + size - 1) / size) > Math.Max(MaxGroups, counts.Length)) size++;
        return size;
    }

    private static void RefuseUnequalBytes(List<(AttentionSpec Spec, List<int> Layers)> kinds)
    {
        long expected = BytesPerToken(kinds[0].Spec);
        foreach ((AttentionSpec spec, List<int> members) in kinds)
        {
            if (BytesPerToken(spec) == expected && spec.Kind == kinds[0].Spec.Kind) continue;
            throw new ModelLoadException(
                $"Layers {kinds[0].Layers[0]} and {members[0]} cannot share one pool of cache blocks: their keys and values differ in size.", null,
                expected: $"{expected} bytes per token and layer", found: $"{BytesPerToken(spec)} bytes");
        }
    }
}
