using Rocm.Inference.Models.Families;

namespace Rocm.Inference.Models;

/// <summary>All families.</summary>
internal static class ModelRegistry
{
    private static readonly IModelFamily[] Families =
    [
        new LlamaFamily(), new MistralFamily(), new Qwen2Family(), new Qwen3Family(), new Gemma2Family(), new Gemma3Family(), new Phi3Family(),
        new MixtralFamily(), new Qwen2MoeFamily(), new Qwen3MoeFamily(), new DeepSeekV2Family(), new DeepSeekV3Family(), new GptOssFamily(),
    ];

    /// <summary>Every architecture that can be loaded, sorted.</summary>
    public static IReadOnlyList<string> Architectures => [.. Families.SelectMany(family => family.Architectures).Order(StringComparer.Ordinal)];

    /// <summary>The family of a config. The architecture decides; a config without one goes by its model type.</summary>
    /// <exception cref="ModelLoadException">No family stands for it; the message lists those that there are.</exception>
    public static IModelFamily Find(string architecture, string modelType, string file)
    {
        foreach (IModelFamily family in Families)
        {
            if (architecture.Length > 0 ? family.Architectures.Contains(architecture) : family.ModelTypes.Contains(modelType)) return family;
        }

        throw new ModelLoadException(
            "The architecture is not supported.", file, "architectures", string.Join(", ", Architectures),
            architecture.Length > 0 ? architecture : $"model_type {(modelType.Length > 0 ? modelType : "missing")}");
    }
}
