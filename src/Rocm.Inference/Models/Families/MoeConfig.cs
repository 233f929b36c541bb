using Rocm.Inference.Devices;

namespace Rocm.Inference.Models.Families;

/// <summary>The readings of experts' config keys that several families share.</summary>
internal static class MoeConfig
{
    /// <summary>Number of experts and experts of a token; the rest of the rule is the family's.</summary>
    /// <param name="config">The section of the language model.</param>
    /// <param name="keys">Names of the number of experts, in order of precedence.</param>
    public static MoeRouting Routing(ConfigSection config, params ReadOnlySpan<string> keys)
    {
        int? experts = null;
        foreach (string key in keys) experts ??= config.OptionalInt(key, 1, ConfigLimits.NumExperts);
        int count = experts ?? config.Int(keys[0], 1, ConfigLimits.NumExperts);
        return new MoeRouting { NumExperts = count, TopK = config.Int("num_experts_per_tok", 1, count) };
    }

    /// <summary>Adds the limitation to the best groups of experts: n_group and topk_group.</summary>
    public static MoeRouting Grouped(ConfigSection config, MoeRouting routing, MoeGroupScore score)
    {
        int groups = config.Int("n_group", 1, routing.NumExperts, 1);
        int best = config.Int("topk_group", 1, groups, 1);
        int size = routing.NumExperts / groups;
        if (routing.NumExperts % groups != 0) throw config.Bad("n_group", $"a divisor of the {routing.NumExperts} experts", $"{groups}");
        if (groups > 1 && score == MoeGroupScore.SumOfTwoBest && size < 2) throw config.Bad("n_group", "groups of at least 2 experts", $"{groups} groups");
        if (routing.TopK > best * size)
            throw config.Bad("num_experts_per_tok", $"at most the {best * size} experts of {best} groups", $"{routing.TopK}");
        return routing with { NumGroups = groups, TopKGroups = best, GroupScore = score };
    }

    /// <summary>
    /// Qwen's rule for which layers have experts: every decoder_sparse_step-th, except those that mlp_only_layers lists.
    /// </summary>
    public static IEnumerable<bool> SparseLayers(ConfigSection config, DecoderDimensions dimensions)
    {
        int step = config.Int("decoder_sparse_step", 1, ConfigLimits.NumLayers, 1);
        HashSet<double> dense = [.. config.OptionalNumbers("mlp_only_layers", ConfigLimits.NumLayers, 0, ConfigLimits.NumLayers) ?? []];
        return Enumerable.Range(0, dimensions.NumLayers).Select(layer => !dense.Contains(layer) && (layer + 1) % step == 0);
    }

    /// <summary>moe_intermediate_size.</summary>
    public static int IntermediateSize(ConfigSection config) => config.Int("moe_intermediate_size", 1, ConfigLimits.IntermediateSize);
}
