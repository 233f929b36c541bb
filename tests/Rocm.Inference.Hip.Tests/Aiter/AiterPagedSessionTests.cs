using Benchmark;
using Rocm.Inference.Devices.Hip;
using Rocm.Inference.Native.Aiter;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Hip.Tests.Aiter;

/// <summary>
/// A model with 16 heads of 128 dims over 2 KV heads, by sessions whose kernels are AITER's, call by call and recorded: a prompt that ends in a piece of two tokens,
/// and one whose answer passes the lengths that AITER's paged kernel gets wrong.
/// </summary>
[Collection(AiterCheckout.Collection)]
public sealed class AiterPagedSessionTests : IDisposable
{
    private const string Config = """
        {
          "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 2,
          "num_attention_heads": 16, "num_key_value_heads": 2, "head_dim": 128, "attention_bias": false, "mlp_bias": false, "bos_token_id": 0, "eos_token_id": 1,
          "vocab_size": 256, "max_position_embeddings": 512, "rope_theta": 10000.0, "rms_norm_eps": 1e-06, "tie_word_embeddings": false
        }
        """;

    // Two layers of bf16 activations: a logit of about 1 moves by some 2^-8.
    private const double Tolerance = 0.05;

    private const int StepTokens = 118;

    private static readonly (int[] Prompt, int NumTokens)[] _requests =
        [([.. Enumerable.Range(0, (2 * StepTokens) + 2).Select(i => 2 + (i * 37 % 250))], 20), ([5, 6, 7], 8)];

    private readonly string _folder = Directory.CreateTempSubdirectory("rocm-inference-paged-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    // Queries and probabilities rounded to fp8 move it by some 2^-5 more.
    private const double Float8Tolerance = 0.15;

    [Theory]
    [InlineData(16, KvCacheDType.BF16)]
    [InlineData(256, KvCacheDType.F8E4M3Fnuz)]
    public async Task Its_answers_are_those_of_this_librarys_kernels(int blockSize, KvCacheDType cacheType)
    {
        bool isFp8 = cacheType != KvCacheDType.BF16;
        double tolerance = isFp8 ? Float8Tolerance : Tolerance;
        using AiterCheckout aiter = AiterCheckout.Open();
        string config = Path.Combine(_folder, "shape.json");
        File.WriteAllText(config, Config);
        new RandomModel(config, DType.BF16, seed: 6).WriteTo(_folder, static _ => { }, TestContext.Current.CancellationToken);
        AiterInstallation installation = AiterInstallation.Locate(AiterSearch.FromEnvironment(null)).Installation!;
        using var gpu = new HipGpu(
            aiter.Library.Device, EmulatedGpu.Instance.Compiler, AiterKernelLibrary.Open(aiter.Library.Device, installation, allowUnproven: false, out _),
            allowFp8Activations: isFp8);
        GenerationResult[] own = await RunAsync(gpu, AttentionBackendNames.TritonAttn, graphs: false, "hip", blockSize, cacheType);
        GenerationResult[] eager = await RunAsync(gpu, AttentionBackendNames.RocmAiterFa, graphs: false, "aiter", blockSize, cacheType);
        EmulatedGpu.Instance.Set("fail", "");
        GenerationResult[] recorded = await RunAsync(gpu, AttentionBackendNames.RocmAiterFa, graphs: true, "aiter", blockSize, cacheType);
        Assert.Equal(isFp8, gpu.Library.LoadedUnits.Any(unit => unit.File == "attention/aiter_plan.hip"));
        Assert.True(EmulatedGpu.Instance.Calls("hipGraphLaunch") > 10, "hardly anything was replayed: the test does not test it");
        for (int r = 0; r < own.Length; r++)
        {
            Assert.Equal(own[r].TokenIds, eager[r].TokenIds);
            Assert.Equal(own[r].TokenIds, recorded[r].TokenIds);
            for (int i = 0; i < own[r].Logprobs.Count; i++)
            {
                Assert.Equal(own[r].Logprobs[i].Logprob, eager[r].Logprobs[i].Logprob, tolerance);
                Assert.Equal(own[r].Logprobs[i].Logprob, recorded[r].Logprobs[i].Logprob, tolerance);
            }
        }
    }

    private async Task<GenerationResult[]> RunAsync(HipGpu gpu, string backend, bool graphs, string provider, int blockSize, KvCacheDType cacheType)
    {
        var options = new InferenceSessionOptions
        {
            ModelPath = _folder, AttentionBackend = backend, MaxModelLen = 320, MaxNumBatchedTokens = StepTokens, MaxNumRequests = 2, KvCacheMemoryBytes = 4 << 20,
            BlockSize = blockSize, KvCacheDType = cacheType, EnableDeviceGraphs = graphs,
        };
        await using InferenceSession session = await HipSessions.LoadAsync(gpu, options);
        Assert.Equal(provider, session.Attention.Phases.Single(phase => phase.Name == "decode").Provider);
        return await HipSessions.CompleteAllAsync(session, _requests, withRivals: true);
    }
}
