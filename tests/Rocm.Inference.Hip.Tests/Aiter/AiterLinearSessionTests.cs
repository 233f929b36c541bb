using Benchmark;
using Rocm.Inference.Devices.Hip;
using Rocm.Inference.Devices.Hip.Aiter;
using Rocm.Inference.Native.Aiter;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Tests.Aiter;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Hip.Tests.Aiter;

/// <summary>A model in blocks of fp8 by sessions whose products AITER's kernels compute, and by sessions that have none of them or may not use them.</summary>
[Collection(AiterCheckout.Collection)]
public sealed class AiterLinearSessionTests(ITestOutputHelper log) : IDisposable
{
    private const int Layers = 2;
    private const int VocabularySize = 256;

    // Of a layer: queries, keys and values; output; gate and up; down.
    private const int Products = 4;

    private const string Manifest = "tile_m,tile_n,splitK,bpreshuffle,knl_name,co_name\n32,128,1,1,_gemm32,gemm32.co\n";

    // Logits are about 1, and rows rounded to 8 bits move a layer's results by some percent.
    private const double Tolerance = 0.12;

    private static readonly (int[] Prompt, int NumTokens)[] _requests = [([.. Enumerable.Range(0, 80).Select(i => (i * 37) + 11).Select(id => id % VocabularySize)], 6)];

    private readonly string _folder = Directory.CreateTempSubdirectory("rocm-inference-fp8-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(AiterKernelChoice.ByShape, false)]
    [InlineData(AiterKernelChoice.Always, false)]
    [InlineData(AiterKernelChoice.Always, true)]
    public async Task Answers_are_those_of_this_librarys_kernels(AiterKernelChoice choice, bool graphs)
    {
        using AiterCheckout aiter = AiterCheckout.Open(inStep: true);
        Assert.SkipWhen(aiter.Library.Kernels.ScaledGemm.IsEmpty, "This AITER has no products of fp8 matrices with scales of blocks.");
        AiterInstallation installation = AiterInstallation.Locate(AiterSearch.FromEnvironment(null)).Installation!;
        GenerationResult expected = await OwnAsync();
        using var gpu = new HipGpu(
            aiter.Library.Device, EmulatedGpu.Instance.Compiler, AiterKernelLibrary.Open(aiter.Library.Device, installation, allowUnproven: false, out _),
            allowFp8Activations: true, choice: choice);
        await using InferenceSession session = await LoadAsync(gpu, graphs);
        Assert.Equal("aiter", session.Model.LinearProvider);
        string[] reasons =
        [
            $"1 of {(Layers * Products) + 1} weights are left to this library's kernel; AITER's take whole blocks of 128 x 128 elements of E4M3 with one scale.",
            .. choice == AiterKernelChoice.ByShape ? ["Products of up to 64 rows are left to this library's kernel, which reads weights with more of the GPU."] : Array.Empty<string>(),
        ];
        Assert.Equal(reasons, session.Model.LinearProviderReasons);

        EmulatedGpu.Instance.Set("fail", "");
        GenerationResult result = (await HipSessions.CompleteAllAsync(session, _requests, withRivals: true))[0];
        Assert.Equal(expected.TokenIds, result.TokenIds);
        double difference = expected.Logprobs.Zip(result.Logprobs, (own, other) => Math.Abs(own.Logprob - other.Logprob)).Max();
        double lead = expected.Logprobs.Min(entry => entry.Top[0].Logprob - entry.Top[1].Logprob);
        log.WriteLine($"logprobs differ by up to {difference:0.000}; the least lead is {lead:0.000}");
        Assert.InRange(difference, 0, Tolerance);
        Assert.NotEqual(expected.Logprobs.Select(entry => entry.Logprob), result.Logprobs.Select(entry => entry.Logprob));

        // All of the prompt's, but what the last layer computes of the one row whose logits are wanted; of each answered token all, when they are always taken.
        long products = AiterLinearTests.ProductsOf(gpu);
        if (graphs) Assert.InRange(products, Layers * Products * 2, (Layers * Products * _requests[0].NumTokens) - 1);
        else Assert.Equal(choice == AiterKernelChoice.ByShape ? (Layers * Products) - 3 : Layers * Products * _requests[0].NumTokens, products);
        Assert.Equal(graphs, EmulatedGpu.Instance.Calls("hipGraphLaunch") > 1);
    }

    [Theory]
    [InlineData("no AITER", "AITER was not found.")]
    [InlineData("not allowed", "AllowFp8Activations")]
    [InlineData("no manifest", "This AITER lists no products with fp8 weights in scaled blocks.")]
    [InlineData("no file", "gemm32.co")]
    public async Task Without_them_it_answers_by_this_librarys_to_the_bit_and_says_why(string lack, string reason)
    {
        Assert.SkipWhen(EmulatedGpu.Missing is not null, EmulatedGpu.Missing ?? "");
        using var simulated = new SimulatedAiter();
        if (lack is "not allowed" or "no file") simulated.Write("fp8gemm_blockscale", "fp8gemm_bf16_blockscale.csv", Manifest);
        HipDevice device = EmulatedGpu.Instance.Device(EmulatedGpu.Gfx942);
        AiterKernelLibrary? library = lack == "no AITER" ? null : AiterKernelLibrary.Open(device, simulated.Find(), allowUnproven: false, out _);
        using var gpu = new HipGpu(device, EmulatedGpu.Instance.Compiler, library, "AITER was not found.", allowFp8Activations: lack != "not allowed");
        await using InferenceSession session = await LoadAsync(gpu, graphs: false);
        Assert.Equal("hip", session.Model.LinearProvider);
        Assert.Contains(session.Model.LinearProviderReasons, sentence => sentence.Contains(reason, StringComparison.Ordinal));
        GenerationResult expected = await OwnAsync(), result = (await HipSessions.CompleteAllAsync(session, _requests, withRivals: true))[0];
        Assert.Equal(expected.TokenIds, result.TokenIds);
        Assert.Equal(expected.Logprobs.Select(entry => entry.Logprob), result.Logprobs.Select(entry => entry.Logprob));
        Assert.Equal(0, AiterLinearTests.ProductsOf(gpu));
    }

    private Task<InferenceSession> LoadAsync(HipGpu gpu, bool graphs)
    {
        SyntheticCheckpoint.Qwen3OfWholeBlocks(seed: 5).WriteBlockFp8(_folder, Path.Combine(_folder, "plain"));
        ByteLevelTokenizer.WriteTo(_folder, VocabularySize);
        return HipSessions.LoadAsync(gpu, new InferenceSessionOptions
        {
            ModelPath = _folder, AttentionBackend = AttentionBackendNames.TritonAttn, MaxModelLen = 128, MaxNumBatchedTokens = 96, MaxNumRequests = 2, KvCacheMemoryBytes = 4 << 20,
            EnableDeviceGraphs = graphs,
        });
    }

    private async Task<GenerationResult> OwnAsync()
    {
        using HipGpu gpu = EmulatedGpu.Create(EmulatedGpu.Gfx942);
        await using InferenceSession session = await LoadAsync(gpu, graphs: false);
        return (await HipSessions.CompleteAllAsync(session, _requests, withRivals: true))[0];
    }
}
