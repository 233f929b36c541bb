using System.Text.Json;
using System.Text.Json.Serialization;
using Rocm.Inference;

namespace SelfTest;

/// <summary>Writes a report as JSON.</summary>
internal static partial class ResultFile
{
    public static void Write(SelfTestReport report, string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        File.WriteAllText(path, JsonSerializer.Serialize(report, ReportContext.Default.SelfTestReport) + Environment.NewLine);
        Console.WriteLine($"results: {path}");
    }

    // An error of infinity (NaN where there should be a number) has no number in JSON.
    [JsonSourceGenerationOptions(
        WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals)]
    [JsonSerializable(typeof(SelfTestReport))]
    private sealed partial class ReportContext : JsonSerializerContext;
}
