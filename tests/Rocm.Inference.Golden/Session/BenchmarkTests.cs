using System.Text.Json;
using System.Xml.Linq;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Golden.Session;

/// <summary>The sample that compares backends, on models that take no time.</summary>
public sealed class BenchmarkTests : IDisposable
{
    private const string Sample = "Benchmark";
    private static readonly string[] Metrics = ["tokenMs", "firstTokenMs", "outputTokensPerSecond"];

    private readonly string _folder = Directory.CreateTempSubdirectory("benchmark-test-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("qwen3")]
    [InlineData("gemma2")]
    [InlineData("deepseek-v3")]
    public async Task Every_backend_is_measured_or_refused_with_reasons_and_results_and_chart_agree(string name)
    {
        string json = Path.Combine(_folder, "new", "result.json"), chart = Path.Combine(_folder, "chart.svg");
        using SampleProcess process = await RunAsync(
            name, "--input-len", "12", "--output-len", "4", "--concurrency", "1,3", "--rounds", "2", "--json", json, "--chart", chart);

        Assert.Equal((0, string.Empty), (process.ExitCode, process.Errors));
        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(json));
        JsonElement root = document.RootElement;
        Assert.Equal(1, root.GetProperty("schemaVersion").GetInt32());
        Assert.Equal(12, root.GetProperty("load").GetProperty("inputLength").GetInt32());
        Assert.Equal("Cpu", root.GetProperty("device").GetProperty("kind").GetString());
        JsonElement[] results = [.. root.GetProperty("results").EnumerateArray()];
        string[] measured = [.. results.Select(Name).Distinct()];
        JsonElement[] refused = [.. root.GetProperty("notSupported").EnumerateArray()];
        Assert.True(measured.Length >= 3, string.Join(", ", measured));
        Assert.Equal(2 * measured.Length, results.Length);
        Assert.All(refused, backend => Assert.NotEqual(0, backend.GetProperty("reasons").GetArrayLength()));
        Assert.Empty(measured.Intersect(refused.Select(backend => backend.GetProperty("name").GetString()!)));
        foreach (IGrouping<int, JsonElement> group in results.GroupBy(result => result.GetProperty("concurrency").GetInt32()))
        {
            foreach (string metric in Metrics) AssertRatios([.. group], metric);
            Assert.All(group, result => Assert.Equal(2, result.GetProperty("rounds").GetArrayLength()));
            Assert.All(group, result => Assert.True(result.GetProperty("roundSpread").GetDouble() >= 1));
        }

        string picture = string.Concat(XDocument.Load(chart).Descendants().Where(element => element.Name.LocalName == "text").Select(text => text.Value.Trim()));
        foreach (string text in (string[])[.. measured, "concurrency 3", "1.00\u00D7"]) Assert.Contains(text, picture, StringComparison.Ordinal);
        foreach (JsonElement backend in refused) Assert.Matches($"backend +{backend.GetProperty("name").GetString()} +no: .+", process.Output);
        Assert.Equal(2 * results.Length, process.Output.Split('\n').Count(line => line.Contains(", round ", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Info_loads_and_tells_without_measuring_and_a_kept_model_can_be_used_again()
    {
        string kept = Path.Combine(_folder, "kept");
        using SampleProcess first = await RunAsync("llama", "--info", "--save", kept, "--dtype", "f32");
        string chart = Path.Combine(_folder, "chart.png");
        using SampleProcess second = await SampleProcess.RunAsync(
            Sample, "--model", kept, "--device", "cpu", "--input-len", "4", "--output-len", "1", "--rounds", "1", "--backends", "triton_attn", "--chart", chart);

        Assert.Equal((0, string.Empty, 0, string.Empty), (first.ExitCode, first.Errors, second.ExitCode, second.Errors));
        foreach (string subject in (string[])["processor ", "HIP ", "GPU", "AITER "]) Assert.Contains("\n" + subject, first.Output, StringComparison.Ordinal);
        Assert.Matches("backend +[A-Z_]+_ATTN +yes", first.Output);
        Assert.DoesNotContain("tokens/s", first.Output, StringComparison.Ordinal);
        Assert.Contains("kept: LlamaForCausalLM", second.Output, StringComparison.Ordinal);
        Assert.Contains(" F32, ", second.Output, StringComparison.Ordinal);
        Assert.Equal([0x89, (byte)'P', (byte)'N', (byte)'G'], File.ReadAllBytes(chart).AsSpan(0, 4).ToArray());
    }

    [Fact]
    public async Task Help_lists_every_option()
    {
        using SampleProcess process = await SampleProcess.RunAsync(Sample, "--help");
        Assert.Equal((0, string.Empty), (process.ExitCode, process.Errors));
        string[] options =
        [
            "--model", "--config", "--dtype", "--save", "--input-len", "--output-len", "--concurrency", "--requests", "--rounds", "--seed", "--backends", "--device",
            "--threads", "--max-tokens-per-step", "--block-size", "--kv-cache-dtype", "--json", "--chart", "--info", "--help",
        ];
        foreach (string option in options) Assert.Contains(option, process.Output, StringComparison.Ordinal);
        foreach (string config in Directory.GetFiles(Path.Combine(RepositoryPaths.Root, "samples", Sample, "configs")))
            Assert.Contains(Path.GetFileNameWithoutExtension(config), process.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(2, "--backendz", "--backendz", "all")]
    [InlineData(2, "--input-len", "--input-len", "0")]
    [InlineData(2, "--concurrency", "--concurrency", "4,x")]
    [InlineData(2, "--chart", "--chart", "chart.gif")]
    [InlineData(1, "no-such-config", "--config", "no-such-config")]
    [InlineData(1, "/no/such/folder", "--model", "/no/such/folder")]
    public async Task A_bad_command_line_is_told_without_a_stack_trace(int exitCode, string named, params string[] arguments)
    {
        using SampleProcess process = await SampleProcess.RunAsync(Sample, arguments);
        AssertTold(process, exitCode, named);
    }

    [Fact]
    public async Task A_backend_that_there_is_not_is_told_with_those_that_there_are()
    {
        using SampleProcess process = await RunAsync("llama", "--backends", "TRITON_ATTN,NOT_A_BACKEND");
        AssertTold(process, 2, "NOT_A_BACKEND");
        Assert.Matches("Known attention backends: .*TRITON_ATTN", process.Errors);
    }

    [Fact]
    public async Task An_interrupt_stops_the_measurement_and_leaves_no_model_behind()
    {
        ProcessState.SkipUnlessLinux();
        using SampleProcess process = Start("llama", "--input-len", "8", "--output-len", "400", "--rounds", "1000");
        await process.WaitForOutputAsync(output => output.Contains(", round 1 of ", StringComparison.Ordinal));
        process.Interrupt();
        await process.EndAsync();

        AssertTold(process, 130, "Stopped.");
        Assert.Empty(Directory.GetDirectories(Path.Combine(_folder, "tmp")));
    }

    private static string Name(JsonElement result) => result.GetProperty("backend").GetString()!;

    /// <summary>A ratio is that of the value to the best value, whichever way better is.</summary>
    private static void AssertRatios(JsonElement[] results, string metric)
    {
        (double Value, double Ratio)[] scores =
            [.. results.Select(result => result.GetProperty(metric)).Select(score => (score.GetProperty("value").GetDouble(), score.GetProperty("timesWorse").GetDouble()))];
        Assert.All(scores, score => Assert.True(score.Value > 0 && score.Ratio >= 1, $"{metric}: {score}"));
        double best = metric == "outputTokensPerSecond" ? scores.Max(score => score.Value) : scores.Min(score => score.Value);
        Assert.All(scores, score => Assert.Equal(Math.Max(score.Value / best, best / score.Value), score.Ratio, 1e-9));
    }

    private static void AssertTold(SampleProcess process, int exitCode, string named)
    {
        Assert.Equal(exitCode, process.ExitCode);
        Assert.Contains(named, process.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", process.Errors, StringComparison.Ordinal);
    }

    private SampleProcess Start(string golden, params string[] arguments)
    {
        string temporary = Directory.CreateDirectory(Path.Combine(_folder, "tmp")).FullName;
        string config = Path.Combine(GoldenCheckpoint.ModelsFolder, golden, "config.json");
        return SampleProcess.Start(Sample, ["--config", config, "--device", "cpu", .. arguments], ("TMPDIR", temporary));
    }

    private async Task<SampleProcess> RunAsync(string golden, params string[] arguments)
    {
        SampleProcess process = Start(golden, arguments);
        await process.EndAsync();
        return process;
    }
}
