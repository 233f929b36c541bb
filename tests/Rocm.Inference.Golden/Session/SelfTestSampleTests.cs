using System.Text.Json;
using Xunit;

namespace Rocm.Inference.Golden.Session;

/// <summary>The sample that tests a device.</summary>
public sealed class SelfTestSampleTests : IDisposable
{
    private const string Sample = "SelfTest";
    private readonly string _folder = Directory.CreateTempSubdirectory("selftest-test-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task The_processor_passes_and_table_and_file_agree()
    {
        string json = Path.Combine(_folder, "new", "result.json");
        using SampleProcess process = await SampleProcess.RunAsync(Sample, "--device", "cpu", "--threads", "2", "--kernels", "linear,SortByExpert", "--json", json);
        Assert.Equal((0, string.Empty), (process.ExitCode, process.Errors));
        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(json));
        JsonElement[] results = [.. document.RootElement.GetProperty("results").EnumerateArray()];
        Assert.True(document.RootElement.GetProperty("allPassed").GetBoolean());
        Assert.Equal(["Linear", "SortByExpert"], results.Select(result => result.GetProperty("kernel").GetString()!).Distinct());
        Assert.Contains($"{results.Length} of {results.Length} checks are right", process.Output, StringComparison.Ordinal);
        foreach (JsonElement result in results) Assert.Matches($"right .* us .*{System.Text.RegularExpressions.Regex.Escape(result.GetProperty("shape").GetString()!)}", process.Output);
    }

    [Fact]
    public async Task Help_lists_every_option()
    {
        using SampleProcess process = await SampleProcess.RunAsync(Sample, "--help");
        Assert.Equal((0, string.Empty), (process.ExitCode, process.Errors));
        foreach (string option in (string[])["--device", "--device-index", "--threads", "--size", "--kernels", "--seed", "--json", "--help"])
            Assert.Contains(option, process.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--sizes", "--sizes", "full")]
    [InlineData("--size", "--size", "huge")]
    [InlineData("Lineal", "--device", "cpu", "--kernels", "Lineal")]
    [InlineData("option Device", "--device", "hip", "--device-index", "200")]
    public async Task A_bad_command_line_is_told_without_a_stack_trace(string named, params string[] arguments)
    {
        using SampleProcess process = await SampleProcess.RunAsync(Sample, arguments);
        Assert.Equal(2, process.ExitCode);
        Assert.Contains(named, process.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", process.Errors, StringComparison.Ordinal);
    }
}
