namespace Rocm.Inference.Models;

/// <summary>What config.json says about every model; a family reads the rest from it.</summary>
internal sealed class ModelConfig
{
    /// <summary>Path of config.json.</summary>
    public required string Path { get; init; }

    /// <summary>First of "architectures", for example LlamaForCausalLM; empty when the file has none.</summary>
    public required string Architecture { get; init; }

    /// <summary>"model_type", for example llama; empty when the file has none.</summary>
    public required string ModelType { get; init; }

    /// <summary>End-of-text ids; generation_config.json takes precedence.</summary>
    public required IReadOnlyList<int> EosTokenIds { get; init; }

    public required int? BosTokenId { get; init; }

    /// <summary>The decoder that the config describes.</summary>
    public required DecoderSpec Decoder { get; init; }

    /// <summary>Reads the folder's config.json.</summary>
    /// <param name="folder">The model folder.</param>
    /// <exception cref="ModelLoadException">The file is missing, damaged, out of bounds, or of an unknown architecture.</exception>
    public static ModelConfig ReadFrom(string folder)
    {
        using ConfigFile file = ConfigFile.Read(System.IO.Path.Combine(folder, "config.json"));
        return Read(file.Root);
    }

    public static ModelConfig Read(ConfigSection root)
    {
        IReadOnlyList<string> architectures = root.OptionalStrings("architectures", 16) ?? [];
        string architecture = architectures.Count > 0 ? architectures[0] : string.Empty;
        string modelType = root.OptionalString("model_type") ?? string.Empty;
        DecoderSpec decoder = ModelRegistry.Find(architecture, modelType, root.File).Describe(root);
        return new ModelConfig
        {
            Path = root.File,
            Architecture = architecture,
            ModelType = modelType,
            EosTokenIds = root.TokenIds("eos_token_id"),
            BosTokenId = root.OptionalInt("bos_token_id", 0, ConfigLimits.VocabSize),
            Decoder = decoder with { Quantization = QuantizationConfig.Read(root, decoder) },
        };
    }
}
