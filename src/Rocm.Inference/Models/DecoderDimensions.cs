namespace Rocm.Inference.Models;

/// <summary>The numbers that every decoder has.</summary>
internal sealed record DecoderDimensions
{
    public required int VocabSize { get; init; }

    public required int HiddenSize { get; init; }

    public required int IntermediateSize { get; init; }

    public required int NumLayers { get; init; }

    public required int NumQoHeads { get; init; }

    public required int NumKvHeads { get; init; }

    public required int HeadDim { get; init; }

    /// <summary>Longest sequence the model was made for.</summary>
    public required int MaxPositionEmbeddings { get; init; }

    public required float RmsNormEps { get; init; }

    /// <summary>Reads them under their Hugging Face names.</summary>
    /// <param name="config">The section of the language model.</param>
    /// <param name="defaults">Values for absent keys, for families whose published configs leave some out.</param>
    /// <param name="headDim">Head dimension when the key is absent; null = hidden size / heads.</param>
    public static DecoderDimensions Read(ConfigSection config, DecoderDimensions? defaults = null, int? headDim = null)
    {
        int hidden = config.Int("hidden_size", 1, ConfigLimits.HiddenSize, defaults?.HiddenSize);
        int heads = config.Int("num_attention_heads", 1, ConfigLimits.NumHeads, defaults?.NumQoHeads);
        int kvHeads = config.Int("num_key_value_heads", 1, ConfigLimits.NumHeads, defaults?.NumKvHeads ?? heads);
        if (heads % kvHeads != 0) throw config.Bad("num_key_value_heads", $"a divisor of num_attention_heads = {heads}", $"{kvHeads}");
        int? dim = config.OptionalInt("head_dim", 1, ConfigLimits.HeadDim) ?? headDim ?? defaults?.HeadDim;
        if (dim is null && (hidden % heads != 0 || hidden / heads > ConfigLimits.HeadDim))
            throw config.Bad("head_dim", $"a value, because hidden_size {hidden} / num_attention_heads {heads} is no head dimension", "nothing");
        return new DecoderDimensions
        {
            VocabSize = config.Int("vocab_size", 1, ConfigLimits.VocabSize, defaults?.VocabSize),
            HiddenSize = hidden,
            IntermediateSize = config.Int("intermediate_size", 1, ConfigLimits.IntermediateSize, defaults?.IntermediateSize),
            NumLayers = config.Int("num_hidden_layers", 1, ConfigLimits.NumLayers, defaults?.NumLayers),
            NumQoHeads = heads,
            NumKvHeads = kvHeads,
            HeadDim = dim ?? hidden / heads,
            MaxPositionEmbeddings = config.Int("max_position_embeddings", 1, ConfigLimits.Positions, defaults?.MaxPositionEmbeddings),
            RmsNormEps = (float)config.Number("rms_norm_eps", 0, 1, defaults?.RmsNormEps ?? 1e-6),
        };
    }
}
