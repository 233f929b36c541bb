namespace Rocm.Inference.Models;

/// <summary>generation_config.json: the sampling defaults that the model's makers recommend. Absent values are null.</summary>
internal sealed record GenerationConfigFile
{
    /// <summary>Ids that end a generation; empty when the file has none.</summary>
    public IReadOnlyList<int> EosTokenIds { get; init; } = [];

    public int? BosTokenId { get; init; }

    public int? PadTokenId { get; init; }

    /// <summary>False: greedy, whatever the other values are.</summary>
    public bool DoSample { get; init; }

    public double? Temperature { get; init; }

    /// <summary>0 = off.</summary>
    public int? TopK { get; init; }

    public double? TopP { get; init; }

    public double? MinP { get; init; }

    public double? RepetitionPenalty { get; init; }

    public int? MaxNewTokens { get; init; }

    public int? MinNewTokens { get; init; }

    public int? MaxLength { get; init; }

    /// <summary>Reads the folder's file; null when there is none.</summary>
    /// <param name="folder">The model folder.</param>
    /// <exception cref="ModelLoadException">The file is damaged or a value is out of range.</exception>
    public static GenerationConfigFile? ReadFrom(string folder)
    {
        string path = Path.Combine(folder, "generation_config.json");
        if (!File.Exists(path)) return null;
        using ConfigFile file = ConfigFile.Read(path);
        return Read(file.Root);
    }

    public static GenerationConfigFile Read(ConfigSection root) => new()
    {
        EosTokenIds = root.TokenIds("eos_token_id"),
        BosTokenId = root.OptionalInt("bos_token_id", 0, ConfigLimits.VocabSize),
        PadTokenId = root.OptionalInt("pad_token_id", -1, ConfigLimits.VocabSize),
        DoSample = root.Bool("do_sample", false),
        Temperature = root.OptionalNumber("temperature", 0, 1000),
        TopK = root.OptionalInt("top_k", 0, int.MaxValue),
        TopP = root.OptionalNumber("top_p", 0, 1),
        MinP = root.OptionalNumber("min_p", 0, 1),
        RepetitionPenalty = root.OptionalNumber("repetition_penalty", 1e-6, 1e6),
        MaxNewTokens = root.OptionalInt("max_new_tokens", 0, ConfigLimits.Positions),
        MinNewTokens = root.OptionalInt("min_new_tokens", 0, ConfigLimits.Positions),
        MaxLength = root.OptionalInt("max_length", 0, int.MaxValue),
    };
}
