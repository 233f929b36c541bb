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
        string config = Path.Combine(_folder, "shape.json");
        File.WriteAllText(config, Config);
        new RandomModel(config, DType.BF16, seed: 3).WriteTo(_folder, static _ => { }, TestContext.Current.CancellationToken);
        AiterInstallation installation = AiterInstallation.Locate(AiterSearch.FromEnvironment(null)).Installation!;
        using var gpu = new HipGpu(
            aiter.Library.Device, EmulatedGpu.Instance.Compiler, AiterKernelLibrary.Open(aiter.Library.Device, installation, allowUnproven: false, out _),
            allowFp8Activations: isFp8);
        GenerationResult[] own = await RunAsync(gpu, AttentionBackendNames.TritonMla, cacheType, graphs: false, "hip");
        GenerationResult[] eager = await RunAsync(gpu, backend, cacheType, graphs: false, "aiter");
        EmulatedGpu.Instance.Set("fail", "");
        GenerationResult[] recorded = await RunAsync(gpu, backend, cacheType, graphs: true, "aiter");
        Assert.True(EmulatedGpu.Instance.Calls("hipGraphLaunch") > 3, "nothing was replayed: the test does not test it");
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

    private async Task<GenerationResult[]> RunAsync(HipGpu gpu, string backend, KvCacheDType cacheType, bool graphs, string provider)
    {
        var options = new InferenceSessionOptions
        {
            ModelPath = _folder, AttentionBackend = backend, MaxModelLen = 64, MaxNumBatchedTokens = 32, MaxNumRequests = 2, KvCacheMemoryBytes = 4 << 20,
            KvCacheDType = cacheType, EnableDeviceGraphs = graphs,
        };
        await using InferenceSession session = await HipSessions.LoadAsync(gpu, options);
        Assert.Equal(provider, session.Attention.Phases.Single(phase => phase.Name == "decode").Provider);
        return await HipSessions.CompleteAllAsync(session, _requests, withRivals: true);
    }
}
