using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Golden.Session;

/// <summary>The first thing that a newcomer runs.</summary>
public sealed class QuickStartTests
{
    private const string Sample = "QuickStart";

    [Fact]
    public async Task Without_arguments_it_completes_a_sentence_and_tells_how_fast()
    {
        using SampleProcess process = await SampleProcess.RunAsync(Sample);

        Assert.Equal((0, string.Empty), (process.ExitCode, process.Errors));
        string[] lines = process.Output.Split('\n');
        Assert.Matches("^device     .+: .+$", lines[0].TrimEnd());
        Assert.Matches("^model      tiny-llama: LlamaForCausalLM, [0-9.]+ M parameters, BF16, context 512$", lines[1].TrimEnd());
        Assert.Matches("^attention  [A-Z_]+_ATTN: .+$", lines[2].TrimEnd());
        Assert.Contains("Gets or sets the value of the current node.", process.Output, StringComparison.Ordinal);
        Assert.Matches(@"prompt tokens +5\s", process.Output);
        Assert.Matches(@"generated tokens +[1-9][0-9]*\s", process.Output);
        Assert.Matches(@"time to first token +[0-9.]+ ms", process.Output);
        Assert.Matches(@"tokens per second +[1-9][0-9.]*\s", process.Output);
        Assert.Matches(@"finished +Stop\s", process.Output);
    }

    [Fact]
    public async Task It_runs_latent_attention_and_experts_on_the_trained_model_of_that_kind()
    {
        using SampleProcess process = await SampleProcess.RunAsync(Sample, RepositoryPaths.TinyMla);

        Assert.Equal((0, string.Empty), (process.ExitCode, process.Errors));
        string[] lines = process.Output.Split('\n');
        Assert.Matches("^model      tiny-mla: DeepseekV3ForCausalLM, 3.2 M parameters, BF16, context 512$", lines[1].TrimEnd());
        Assert.Matches("^attention  [A-Z_]+_MLA: .+$", lines[2].TrimEnd());
        Assert.Contains("Gets or sets the value of the current node.", process.Output, StringComparison.Ordinal);
        Assert.Matches(@"finished +Stop\s", process.Output);
    }

    [Fact]
    public async Task Help_lists_every_option()
    {
        using SampleProcess process = await SampleProcess.RunAsync(Sample, "--help");
        Assert.Equal((0, string.Empty), (process.ExitCode, process.Errors));
        foreach (string option in (string[])["--prompt", "--max-tokens", "--temperature", "--seed", "--device", "--backend", "--threads", "--info", "--help"])
            Assert.Contains(option, process.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Info_tells_what_the_machine_offers_and_what_would_run_a_model_that_is_named(bool named)
    {
        using SampleProcess process = await SampleProcess.RunAsync(Sample, named ? ["--info", RepositoryPaths.TinyMla] : ["--info"]);
        Assert.Equal((0, string.Empty), (process.ExitCode, process.Errors));
        foreach (string subject in (string[])["library", "processor", "HIP", "AITER"])
            Assert.Single(process.Output.Split('\n'), line => line.StartsWith(subject + " ", StringComparison.Ordinal));
        Assert.Contains("\nGPU", process.Output, StringComparison.Ordinal);
        Assert.Equal(named, process.Output.Contains("attention  ", StringComparison.Ordinal));
        Assert.Equal(named, process.Output.Contains("not TRITON_ATTN: ", StringComparison.Ordinal));
        Assert.DoesNotContain("tokens per second", process.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(2, "--max-tokenz", "--max-tokenz", "3")]
    [InlineData(2, "--max-tokens", "--max-tokens", "many")]
    [InlineData(2, "--device", "--device", "7")]
    [InlineData(2, "--prompt", "--prompt")]
    [InlineData(2, "two", "one", "two")]
    [InlineData(1, "/no/such/folder", "/no/such/folder")]
    [InlineData(1, "MaxNewTokens", "--max-tokens", "0")]
    [InlineData(1, "NumThreads", "--threads", "0")]
    [InlineData(1, "NOT_A_BACKEND", "--backend", "NOT_A_BACKEND")]
    public async Task A_bad_command_line_is_told_without_a_stack_trace(int exitCode, string named, params string[] arguments)
    {
        using SampleProcess process = await SampleProcess.RunAsync(Sample, arguments);
        Assert.Equal(exitCode, process.ExitCode);
        Assert.Contains(named, process.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", process.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_interrupt_stops_a_long_generation_cleanly()
    {
        ProcessState.SkipUnlessLinux();

        // A small random model with a long context and no end: it would go on for minutes.
        using SessionFolder folder = SessionFolder.Golden("qwen3");
        Damage.Config(folder, "max_position_embeddings", "100000");
        Damage.Config(folder, "eos_token_id", "null");
        using SampleProcess process = SampleProcess.Start(Sample, folder.Path, "--max-tokens", "99000", "--prompt", "abc");
        await process.WaitForOutputAsync(output => output.IndexOf("\nabc", StringComparison.Ordinal) is > 0 and int start && output.Length > start + 50);
        process.Interrupt();
        await process.EndAsync();

        Assert.Equal(130, process.ExitCode);
        Assert.Contains("Stopped.", process.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", process.Errors, StringComparison.Ordinal);
    }
}
