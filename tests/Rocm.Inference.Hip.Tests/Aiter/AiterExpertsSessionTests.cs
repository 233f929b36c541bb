using Benchmark;
using Rocm.Inference.Devices.Hip;
using Rocm.Inference.Native.Aiter;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Hip.Tests.Aiter;

/// <summary>A model of fp8 experts whose experts AITER's kernel computes, by sessions call by call and recorded, beside this library's kernels.</summary>
[Collection(AiterCheckout.Collection)]
public sealed class AiterExpertsSessionTests(ITestOutputHelper log) : IDisposable
{
    private const int NumLayers = 2;
    private const double Tolerance = 0.08;

    // Logits are about 1.
    private const double LogitTolerance = 0.15;

    private static readonly int[] _tokens = [17, 80, 203, 41, 99, 5, 6, 250, 31, 77, 128, 64, 9, 200, 3, 154, 90, 18, 222, 71, 13, 37, 111];

    private static readonly (int[] Prompt, int NumTokens)[] _requests = [(_tokens[..5], 6), (_tokens[5..8], 5)];

    private readonly string _folder = Directory.CreateTempSubdirectory("rocm-inference-experts-").FullName;

    private string Model => Path.Combine(_folder, "quantized");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    // DeepSeek V3 has two layers of experts, too, with a shared one each, and one without.
    [Theory]
    [InlineData("qwen3-moe")]
    [InlineData("deepseek-v3")]
    public void Logits_are_near_those_of_this_librarys_kernels_in_the_memory_that_was_planned(string model)
    {
        SyntheticCheckpoint checkpoint = model == "qwen3-moe" ? SyntheticCheckpoint.Qwen3Moe(seed: 11) : SyntheticCheckpoint.DeepSeekV3OfWholeBlocks(seed: 11);
        checkpoint.WriteBlockFp8(Model, Path.Combine(_folder, "plain"));
        using AiterCheckout aiter = AiterCheckout.Open(inStep: true);
        using HipGpu own = Open(aiter, allowFp8Activations: false), fused = Open(aiter, allowFp8Activations: true);
        int[] positions = [.. Enumerable.Range(0, _tokens.Length)];
        using var expected = new ModelSession(own, Model, _tokens.Length, DType.BF16);
        float[][] without = expected.Forward(_tokens, 0, positions);
        Assert.Equal(0, own.Experts.NumRuns);

        using var session = new ModelSession(fused, Model, _tokens.Length, DType.BF16);
        float[][] with = session.Forward(_tokens, 0, positions);
        Assert.Equal(NumLayers, fused.Experts.NumRuns);
        double[] errors = [.. without.Zip(with).Select(rows => RelativeError.Of(rows.First.Select(logit => (double)logit), rows.Second)).Order()];
        log.WriteLine($"errors {string.Join(' ', errors.Select(error => $"{error:0.000}"))}");

        // Two layers whose experts err by 0.04 and whose other products by 0.02, of a residual that is larger than what they add. A few tokens have a second layer's expert just before another, and
        // take that instead.
        Assert.InRange(errors[0], 0.001, Tolerance);
        Assert.InRange(errors[errors.Length * 3 / 4], 0.001, Tolerance);
        Assert.InRange(errors[^1], 0.001, 0.5);
        Assert.InRange(session.PeakScratchBytes, 1, session.ScratchBytes);
        Assert.Equal(0, session.BytesAllocatedByRepeating());
    }

    [Fact]
    public async Task Answers_are_those_of_this_librarys_kernels_call_by_call_and_recorded_and_the_session_says_whose_kernels_run()
    {
        using AiterCheckout aiter = AiterCheckout.Open(inStep: true);
        SyntheticCheckpoint.Qwen3Moe(seed: 11).WriteBlockFp8(Model, Path.Combine(_folder, "plain"));
        ByteLevelTokenizer.WriteTo(Model, 256);
        using HipGpu exact = Open(aiter, allowFp8Activations: false), fused = Open(aiter, allowFp8Activations: true);
        GenerationResult[] own = await RunAsync(exact, graphs: false, "hip", "AITER's experts round activations to fp8 (option AllowFp8Activations).");
        GenerationResult[] eager = await RunAsync(fused, graphs: false, "aiter");
        long runs = fused.Experts.NumRuns;
        Assert.True(runs > NumLayers, $"AITER's experts ran {runs} times");
        EmulatedGpu.Instance.Set("fail", "");
        GenerationResult[] recorded = await RunAsync(fused, graphs: true, "aiter");
        Assert.True(EmulatedGpu.Instance.Calls("hipGraphLaunch") > 2, "nothing was replayed: the test does not test it");
        Assert.True(fused.Experts.NumRuns > runs);
        for (int r = 0; r < own.Length; r++)
        {
            Compare(own[r], eager[r]);
            Compare(own[r], recorded[r]);
        }
    }

    /// <summary>Random models have leads of no size: answers are compared up to where another id is as good.</summary>
    private void Compare(GenerationResult own, GenerationResult other)
    {
        int compared = 0;
        double moved = 0;
        for (int i = 0; i < own.TokenIds.Count; i++)
        {
            TokenLogprobs expected = own.Logprobs[i], found = other.Logprobs[i];
            moved = Math.Max(moved, Math.Abs(expected.Top[0].Logprob - found.Top[0].Logprob));
            compared++;
            if (own.TokenIds[i] == other.TokenIds[i]) continue;
            Assert.InRange(expected.Top[0].Logprob - expected.Top[1].Logprob, 0, 2 * LogitTolerance);
            break;
        }

        log.WriteLine($"{compared} of {own.TokenIds.Count} tokens, largest move {moved:0.000}");
        Assert.InRange(moved, 0, LogitTolerance);
        Assert.True(compared > 1, "two near-ties at once: the test does not test it");
    }

    private async Task<GenerationResult[]> RunAsync(HipGpu gpu, bool graphs, string provider, params string[] reasons)
    {
        var options = new InferenceSessionOptions
        {
            ModelPath = Model, MaxModelLen = 32, MaxNumBatchedTokens = 16, MaxNumRequests = 2, KvCacheMemoryBytes = 4 << 20, EnableDeviceGraphs = graphs,
        };
        await using InferenceSession session = await HipSessions.LoadAsync(gpu, options);
        Assert.Equal(provider, session.Model.ExpertsProvider);
        Assert.Equal(reasons, session.Model.ExpertsProviderReasons);
        return await HipSessions.CompleteAllAsync(session, _requests, withRivals: true);
    }

    private static HipGpu Open(AiterCheckout aiter, bool allowFp8Activations)
    {
        AiterInstallation installation = AiterInstallation.Locate(AiterSearch.FromEnvironment(null)).Installation!;
        AiterKernelLibrary? library = AiterKernelLibrary.Open(aiter.Library.Device, installation, allowUnproven: false, out string reason);
        Assert.True(library is not null, reason);

        // By shape AITER's other products are left out of steps this small: what is seen are its experts.
        return new HipGpu(aiter.Library.Device, EmulatedGpu.Instance.Compiler, library, allowFp8Activations: allowFp8Activations, choice: AiterKernelChoice.ByShape);
    }
}
