using Rocm.Inference.Devices.Hip;
using Rocm.Inference.Native.Handles;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Hip.Tests;

/// <summary>Small sessions on emulated GPUs, and what the CPU says to the same prompts.</summary>
internal static class HipSessions
{
    public const string TinyLlama = "tiny-llama";
    public const string TinyMla = "tiny-mla";

    /// <summary>
    /// By how much bf16 activations may move a logit of these models, which reach 20: each of 5 layers rounds its results to 8 bits several times. The lead of
    /// every id that tests compare is larger.
    /// </summary>
    public const double LogitTolerance = 0.5;

    private const int NumRivals = 2;

    public static string Path(string model) => System.IO.Path.Combine(RepositoryPaths.Root, "samples", "models", model);

    /// <summary>Steps of few tokens, so that long prompts come in chunks.</summary>
    public static InferenceSessionOptions Options(string model, string? backend) => new()
    {
        ModelPath = Path(model),
        AttentionBackend = backend,
        MaxModelLen = 192,
        MaxNumBatchedTokens = 72,
        MaxNumRequests = 3,
        KvCacheMemoryBytes = 4 << 20,
    };

    public static Task<InferenceSession> LoadAsync(HipGpu gpu, InferenceSessionOptions options) =>
        new InferenceSessionBuilder(options).UseDevice(gpu).LoadAsync();

    public static HipGpu Open(string target)
    {
        Assert.SkipWhen(EmulatedGpu.Missing is not null, EmulatedGpu.Missing ?? "");
        return EmulatedGpu.Create(target);
    }

    /// <param name="target">The architecture.</param>
    /// <param name="ledger">Counts the native objects of this device alone.</param>
    public static HipGpu Open(string target, out HandleLedger ledger)
    {
        Assert.SkipWhen(EmulatedGpu.Missing is not null, EmulatedGpu.Missing ?? "");
        return EmulatedGpu.Create(target, ledger = new HandleLedger());
    }

    public static GenerationOptions Greedy(int maxNewTokens, bool withRivals = false) => new()
    {
        Temperature = 0, RepetitionPenalty = 1, IgnoreEos = true, MaxNewTokens = maxNewTokens, Logprobs = withRivals ? NumRivals : null,
    };

    /// <summary>Answers all prompts at once.</summary>
    public static Task<GenerationResult[]> CompleteAllAsync(InferenceSession session, IEnumerable<(int[] Prompt, int NumTokens)> requests, bool withRivals = false) =>
        Task.WhenAll(requests.Select(request => Task.Run(() => session.CompleteAsync(request.Prompt, Greedy(request.NumTokens, withRivals)))));

    /// <summary>The same on the CPU, with the leads of all ids checked to be more than bf16 can take away.</summary>
    public static async Task<GenerationResult[]> OnCpuAsync(string model, IReadOnlyList<(int[] Prompt, int NumTokens)> requests)
    {
        InferenceSessionOptions options = Options(model, backend: null);
        options.Device = DevicePreference.Cpu;
        options.NumThreads = 1;
        await using InferenceSession session = await InferenceSession.LoadAsync(Path(model), options);
        GenerationResult[] results = await CompleteAllAsync(session, requests, withRivals: true);
        foreach (GenerationResult result in results)
            Assert.All(result.Logprobs, entry => Assert.True(entry.Top[0].Logprob - entry.Top[1].Logprob > LogitTolerance, "the prompt has a near-tie"));
        return results;
    }
}
