namespace Rocm.Inference.Models;

/// <summary>A Hugging Face model folder whose configs have been read. Holds no file open.</summary>
internal sealed class ModelFolder
{
    private ModelFolder(string path, ModelConfig config, GenerationConfigFile? generation)
    {
        Path = path;
        Config = config;
        Generation = generation;
    }

    /// <summary>Full path of the folder.</summary>
    public string Path { get; }

    public ModelConfig Config { get; }

    /// <summary>Sampling defaults, or null when the folder has none.</summary>
    public GenerationConfigFile? Generation { get; }

    /// <summary>Ids that end a generation: those of generation_config.json, else those of config.json.</summary>
    public IReadOnlyList<int> EosTokenIds => Generation is { EosTokenIds.Count: > 0 } generation ? generation.EosTokenIds : Config.EosTokenIds;

    /// <summary>Reads config.json and generation_config.json.</summary>
    /// <param name="path">The folder.</param>
    /// <exception cref="ModelLoadException">There is no such folder, or a config is damaged or not supported.</exception>
    public static ModelFolder Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        string full = System.IO.Path.GetFullPath(path);
        if (!Directory.Exists(full))
            throw new ModelLoadException("The model folder does not exist.", full, expected: "a folder with config.json and model.safetensors", found: File.Exists(full) ? "a file" : "nothing");
        return new ModelFolder(full, ModelConfig.ReadFrom(full), GenerationConfigFile.ReadFrom(full));
    }
}
