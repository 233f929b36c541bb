using System.Runtime.CompilerServices;

namespace Rocm.Inference.TestKit;

/// <summary>Where the checkout lies, for tests that read sources, samples and fixtures in place.</summary>
internal static class RepositoryPaths
{
    public static string Root { get; } = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(Here())!, "..", ".."));

    public static string TinyLlama => Path.Combine(Root, "samples", "models", "tiny-llama");

    public static string TinyMla => Path.Combine(Root, "samples", "models", "tiny-mla");

    private static string Here([CallerFilePath] string path = "") => path;
}
