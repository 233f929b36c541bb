using Benchmark;
using Rocm.Inference.Devices.Hip;
using Rocm.Inference.Native.Aiter;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Hip.Tests.Aiter;

/// <summary>A model with latent rows of 512 + 64 and 12 heads, by sessions whose decode steps AITER's kernels run, call by call and recorded.</summary>
[Collection(AiterCheckout.Collection)]
public sealed class AiterLatentSessionTests : IDisposable
{
    private const string Config = """
        {
          "architectures": ["DeepseekV3ForCausalLM"], "model_type": "deepseek_v3", "hidden_act": "silu", "hidden_size": 64, "intermediate_size": 64,
          "moe_intermediate_size": 64, "n_routed_experts": 4, "n_shared_experts": 1, "num_experts_per_tok": 2, "n_group": 1, "topk_group": 1, "topk_method": "noaux_tc",
          "scoring_func": "sigmoid", "norm_topk_prob": true, "routed_scaling_factor": 1.0, "first_k_dense_replace": 2, "moe_layer_freq": 1, "num_hidden_layers": 2,
          "num_nextn_predict_layers": 0, "num_attention_heads": 12, "num_key_value_heads": 12, "q_lora_rank": 64, "kv_lora_rank": 512, "qk_nope_head_dim": 64,
          "qk_rope_head_dim": 64, "v_head_dim": 64, "attention_bias": false, "bos_token_id": 0, "eos_token_id": 1, "vocab_size": 256, "max_position_embeddings": 256,
          "rope_theta": 10000.0, "rms_norm_eps": 1e-06, "tie_word_embeddings": false
        }
        """;

    // Two layers of bf16 activations: a logit of about 1 moves by some 2^-8.
    private const double Tolerance = 0.05;

    private const string Reason = "AITER's persistent kernel was faster in 2 of 2 measured steps: 1 x 96, 2 x 96 (rows x tokens).";

    private static readonly (int[] Prompt, int NumTokens)[] _requests = [([17, 80, 203, 41, 99], 9), ([5, 6], 7)];

    private readonly string _folder = Directory.CreateTempSubdirectory("rocm-inference-latent-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    // Queries and probabilities rounded to fp8 move it by some 2^-5 more.
    private const double Float8Tolerance = 0.15;

    [Theory]
    [InlineData(AttentionBackendNames.RocmAiterMla, KvCacheDType.BF16)]
    [InlineData(AttentionBackendNames.RocmAiterTritonMla, KvCacheDType.BF16)]
    [InlineData(AttentionBackendNames.RocmAiterMla, KvCacheDType.F8E4M3Fnuz)]
    public async Task Its_answers_are_those_of_this_librarys_kernels(string backend, KvCacheDType cacheType)
    {
        bool isFp8 = cacheType != KvCacheDType.BF16;
        double tolerance = isFp8 ? Float8Tolerance : Tolerance;
        using AiterCheckout aiter = AiterCheckout.Open(inStep: isFp8);
        WriteModel();
        using HipGpu gpu = Open(aiter, allowFp8Activations: isFp8);
        GenerationResult[] own = await RunAsync(gpu, AttentionBackendNames.TritonMla, cacheType, graphs: false, "hip");
        GenerationResult[] eager = await RunAsync(gpu, backend, cacheType, graphs: false, "aiter");
        EmulatedGpu.Instance.Set("fail", "");
        GenerationResult[] recorded = await RunAsync(gpu, backend, cacheType, graphs: true, "aiter");
        Assert.True(EmulatedGpu.Instance.Calls("hipGraphLaunch") > 3, "nothing was replayed: the test does not test it");
        Compare(own, eager, tolerance);
        Compare(own, recorded, tolerance);
    }

    [Fact]
    public async Task A_persistent_kernel_that_was_the_fastest_decodes_steps_of_growing_lengths_recorded_too()
    {
        using AiterCheckout aiter = AiterCheckout.Open();
        WriteModel();
        // Of three kernels that are timed three times at each of two steps, the third wins; prompts follow.
        int readings = 0;
        using HipGpu gpu = Open(aiter, choice: AiterKernelChoice.Measured, clock: (_, _) => readings++ is var i && i < 18 && i % 9 < 6 ? 2 : 1);
        (int[] Prompt, int NumTokens)[] requests = [([.. Enumerable.Range(0, 60).Select(i => 2 + (i * 37 % 250))], 9), ([5, 6], 7)];
        GenerationResult[] own = await RunAsync(gpu, AttentionBackendNames.TritonMla, KvCacheDType.BF16, graphs: false, "hip", requests);
        GenerationResult[] eager = await RunAsync(gpu, AttentionBackendNames.RocmAiterMla, KvCacheDType.BF16, graphs: false, "aiter", requests, Reason);
        EmulatedGpu.Instance.Set("fail", "");
        GenerationResult[] recorded = await RunAsync(gpu, AttentionBackendNames.RocmAiterMla, KvCacheDType.BF16, graphs: true, "aiter", requests, Reason);
        Assert.True(EmulatedGpu.Instance.Calls("hipGraphLaunch") > 3, "nothing was replayed: the test does not test it");
        Assert.Contains(gpu.Library.LoadedUnits, unit => unit.File == "attention/aiter_plan.hip");
        Compare(own, eager, Tolerance);
        Compare(own, recorded, Tolerance);
    }

    private static void Compare(GenerationResult[] expected, GenerationResult[] found, double tolerance)
    {
        for (int r = 0; r < expected.Length; r++)
        {
            Assert.Equal(expected[r].TokenIds, found[r].TokenIds);
            for (int i = 0; i < expected[r].Logprobs.Count; i++) Assert.Equal(expected[r].Logprobs[i].Logprob, found[r].Logprobs[i].Logprob, tolerance);
        }
    }

    private static HipGpu Open(
        AiterCheckout aiter, bool allowFp8Activations = false, AiterKernelChoice choice = AiterKernelChoice.Always, Func<HipContext, Action, double>? clock = null)
    {
        AiterInstallation installation = AiterInstallation.Locate(AiterSearch.FromEnvironment(null)).Installation!;
        return new HipGpu(
            aiter.Library.Device, EmulatedGpu.Instance.Compiler, AiterKernelLibrary.Open(aiter.Library.Device, installation, allowUnproven: false, out _),
            allowFp8Activations: allowFp8Activations, choice: choice, clock: clock);
    }

    private void WriteModel()
    {
        string config = Path.Combine(_folder, "shape.json");
        File.WriteAllText(config, Config);
        new RandomModel(config, DType.BF16, seed: 3).WriteTo(_folder, static _ => { }, TestContext.Current.CancellationToken);
    }

    private async Task<GenerationResult[]> RunAsync(HipGpu gpu, string backend, KvCacheDType cacheType, bool graphs, string provider,
        (int[] Prompt, int NumTokens)[]? requests = null, string reason = "")
    {
        var options = new InferenceSessionOptions
        {
            ModelPath = _folder, AttentionBackend = backend, MaxModelLen = requests is null ? 64 : 96, MaxNumBatchedTokens = 32, MaxNumRequests = 2, KvCacheMemoryBytes = 4 << 20,
            KvCacheDType = cacheType, EnableDeviceGraphs = graphs,
        };
        await using InferenceSession session = await HipSessions.LoadAsync(gpu, options);
        AttentionPhase decode = session.Attention.Phases.Single(phase => phase.Name == "decode");
        Assert.Equal(provider, decode.Provider);
        Assert.Contains(reason, string.Join(' ', decode.ProviderReasons), StringComparison.Ordinal);
        return await HipSessions.CompleteAllAsync(session, requests ?? _requests, withRivals: true);
    }
}
