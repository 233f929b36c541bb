using Rocm.Inference.Devices;
using Rocm.Inference.Layers;

namespace Rocm.Inference.Models.Families;

/// <summary>The readings of config keys that several families share.</summary>
internal static class FamilyConfig
{
    /// <summary>Attention with the usual scale, 1/sqrt(head dimension).</summary>
    public static MhaSpec Attention(DecoderDimensions dimensions, RopeParameters rope) => new()
    {
        NumQoHeads = dimensions.NumQoHeads,
        NumKvHeads = dimensions.NumKvHeads,
        HeadDim = dimensions.HeadDim,
        SoftmaxScale = (float)(1 / Math.Sqrt(dimensions.HeadDim)),
        Rope = rope,
    };

    public static GatedMlpSpec Mlp(ConfigSection config, DecoderDimensions dimensions, string activationKey, string activation = "silu") => new()
    {
        IntermediateSize = dimensions.IntermediateSize,
        Activation = (config.OptionalString(activationKey) ?? activation) switch
        {
            "silu" or "swish" => ActivationKind.Silu,
            "gelu_pytorch_tanh" or "gelu_new" or "gelu_fast" => ActivationKind.GeluTanh,
            "gelu" => ActivationKind.Gelu,
            string other => throw config.Bad(activationKey, "silu, gelu or gelu_pytorch_tanh", other),
        },
    };

    public static IReadOnlyList<DecoderLayerSpec> Repeat(DecoderDimensions dimensions, DecoderLayerSpec layer) =>
        [.. Enumerable.Repeat(layer, dimensions.NumLayers)];

    /// <summary>sliding_window: null in the file means none; an absent key means the family's default.</summary>
    public static int? Window(ConfigSection config, int? whenAbsent) =>
        config.Has("sliding_window") ? config.OptionalInt("sliding_window", 1, int.MaxValue) : whenAbsent;

    /// <summary>The window of each layer.</summary>
    public static IReadOnlyList<int?> Windows(ConfigSection config, DecoderDimensions dimensions, int? window, Func<int, bool> slidesByDefault) =>
        [.. Slides(config, dimensions, slidesByDefault).Select(slides => slides ? window : null)];

    /// <summary>Which layers have the window: layer_types, or the family's rule.</summary>
    public static IReadOnlyList<bool> Slides(ConfigSection config, DecoderDimensions dimensions, Func<int, bool> slidesByDefault)
    {
        IReadOnlyList<string>? types = config.OptionalStrings("layer_types", ConfigLimits.NumLayers);
        if (types is null) return [.. Enumerable.Range(0, dimensions.NumLayers).Select(slidesByDefault)];
        if (types.Count != dimensions.NumLayers)
            throw config.Bad("layer_types", $"one entry for each of {dimensions.NumLayers} layers", $"{types.Count} entries");
        return [.. types.Select(type => type switch
        {
            "sliding_attention" => true,
            "full_attention" => false,
            _ => throw config.Bad("layer_types", "sliding_attention or full_attention", type),
        })];
    }

    /// <summary>Gemma's softmax scale.</summary>
    public static float QueryScale(ConfigSection config) => (float)(1 / Math.Sqrt(config.Number("query_pre_attn_scalar", 1e-3, 1e9, 256)));

    /// <summary>A soft-cap: null in the file means none (0); an absent key means the family's default.</summary>
    public static float SoftCap(ConfigSection config, string name, float? whenAbsent) =>
        config.Has(name) ? (float)config.Number(name, 1e-3, 1e9, 0) : whenAbsent ?? 0;

    /// <summary>Embedding models made of Gemma see later tokens too; that is not a decoder.</summary>
    public static void RefuseBidirectional(ConfigSection config)
    {
        if (config.Bool("use_bidirectional_attention", false)) throw config.Bad("use_bidirectional_attention", "false: only causal attention is supported", "true");
    }

    /// <summary>Refuses a value that the family's formula does not know.</summary>
    public static string OneOf(ConfigSection root, string key, string fallback, params ReadOnlySpan<string> known)
    {
        string value = root.OptionalString(key) ?? fallback;
        return known.Contains(value) ? value : throw root.Bad(key, string.Join(" or ", known.ToArray()), value);
    }
}
