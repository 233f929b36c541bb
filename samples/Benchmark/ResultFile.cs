using System.Text.Json;
using System.Text.Json.Serialization;

namespace Benchmark;

/// <summary>Writes results as JSON.</summary>
internal static partial class ResultFile
{
    public static void Write(ExperimentResult result, string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        File.WriteAllText(path, JsonSerializer.Serialize(result, ResultContext.Default.ExperimentResult) + Environment.NewLine);
        Console.WriteLine($"results    {path}");
    }

    [JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true)]
    [JsonSerializable(typeof(ExperimentResult))]
    private sealed partial class ResultContext : JsonSerializerContext;
}
