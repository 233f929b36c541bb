using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Golden.Session;

/// <summary>The trained DeepSeek V3 through the public session, text in and text out, with every latent backend, against PyTorch in double precision.</summary>
public sealed class SessionTinyMlaTests
{
    private static readonly GenerationOptions Greedy = new() { Temperature = 0, IgnoreEos = true, Logprobs = 0 };

    /// <summary>Backends with caches, and by how much the cache may move a logit: logits reach 20, a bf16 latent has 8 bits.</summary>
    public static TheoryData<string, KvCacheDType, double> Sessions
    {
        get
        {
            var data = new TheoryData<string, KvCacheDType, double>();
            foreach (string backend in TestBackends.Names(AttentionKind.Mla))
            {
                data.Add(backend, KvCacheDType.F32, 4e-4);
                data.Add(backend, KvCacheDType.BF16, 0.2);
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Sessions))]
    public async Task Greedy_text_equals_that_in_double_precision_alone_and_all_at_once(string backend, KvCacheDType cache, double tolerance)
    {
        await using InferenceSession session = await LoadAsync(cache, backend);
        Assert.Equal((backend, AttentionKind.Mla), (session.Attention.Name, session.Attention.Kind));
        GoldenText[] cases = GoldenText.ReadAll("tiny-mla");
        foreach (GoldenText golden in cases)
        {
            Assert.Equal(golden.PromptIds, session.Tokenizer.Encode(golden.Prompt));
            golden.AssertFollowedBy(await CompleteAsync(session, golden), tolerance);
        }

        GenerationResult[] together = await Task.WhenAll(cases.Select(golden => Task.Run(() => CompleteAsync(session, golden))));
        foreach ((GoldenText golden, GenerationResult result) in cases.Zip(together)) golden.AssertFollowedBy(result, tolerance);
    }

    [Fact]
    public async Task The_model_ends_its_answers_and_their_text_is_the_golden_one()
    {
        await using InferenceSession session = await LoadAsync(KvCacheDType.F32, backend: null);
        foreach (GoldenText golden in GoldenText.ReadAll("tiny-mla"))
        {
            GenerationResult result = await session.CompleteAsync(golden.Prompt, Greedy with { IgnoreEos = false, MaxNewTokens = golden.GreedyIds.Length });
            Assert.Equal(golden.FirstEnd is null ? FinishReason.Length : FinishReason.Stop, result.FinishReason);
            Assert.Equal(golden.Text, result.Text);
        }
    }

    [Theory]
    [InlineData("tiny-mla", KvCacheDType.F8E4M3Fn, DType.F8E4M3Fn)]
    [InlineData("tiny-mla", KvCacheDType.F8E5M2, DType.F8E5M2)]
    [InlineData("tiny-llama", KvCacheDType.F8E4M3Fn, DType.F8E4M3Fn)]
    [InlineData("tiny-llama", KvCacheDType.F8E4M3Fnuz, DType.F8E4M3Fnuz)]
    public async Task An_8_bit_cache_halves_the_memory_of_a_token_and_is_made_only_when_asked_for(string model, KvCacheDType cache, DType type)
    {
        await using InferenceSession standard = await LoadAsync(KvCacheDType.Auto, backend: null, model);
        await using InferenceSession small = await LoadAsync(cache, backend: null, model);
        Assert.Equal((DType.BF16, type), (standard.Model.KvCacheDType, small.Model.KvCacheDType));
        Assert.Equal(BytesPerBlock(standard), 2 * BytesPerBlock(small));

        // Coarse, but the same model: the most likely word of each text stays.
        foreach (GoldenText golden in GoldenText.ReadAll(model).Where(text => text.Margins[0] > 1))
            Assert.Equal(golden.GreedyIds[0], (await CompleteAsync(small, golden)).TokenIds[0]);
    }

    private static double BytesPerBlock(InferenceSession session) => (double)session.Model.KvCacheBytes / (session.Statistics.KvCacheBlocks + 1);

    private static Task<InferenceSession> LoadAsync(KvCacheDType cache, string? backend, string model = "tiny-mla") => InferenceSession.LoadAsync(
        Path.Combine(RepositoryPaths.Root, "samples", "models", model),
        new InferenceSessionOptions { Device = DevicePreference.Cpu, NumThreads = 2, KvCacheDType = cache, AttentionBackend = backend, BlockSize = 16 });

    private static Task<GenerationResult> CompleteAsync(InferenceSession session, GoldenText golden) =>
        session.CompleteAsync(golden.Prompt, Greedy with { MaxNewTokens = golden.GreedyIds.Length });
}
