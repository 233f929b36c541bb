using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Golden.Session;

/// <summary>The trained model through the public session, text in and text out, against PyTorch in double precision.</summary>
public sealed class SessionTinyLlamaTests
{
    /// <summary>An f32 cache: what <see cref="TinyLlamaTests"/> measures, doubled since two logits may err.</summary>
    private const double ToleranceF32 = 2e-4;

    /// <summary>A bf16 cache rounds keys and values to 8 bits; logits reach 20. Measured below: 0.03 at most, of one logit.</summary>
    private const double ToleranceBF16 = 0.1;

    private static readonly GenerationOptions Greedy = new() { Temperature = 0, IgnoreEos = true, Logprobs = 0 };

    [Theory]
    [InlineData(KvCacheDType.F32, ToleranceF32)]
    [InlineData(KvCacheDType.BF16, ToleranceBF16)]
    public async Task Greedy_text_equals_that_in_double_precision_alone_and_all_at_once(KvCacheDType cache, double tolerance)
    {
        await using InferenceSession session = await LoadAsync(cache);
        Assert.Equal(cache == KvCacheDType.F32 ? DType.F32 : DType.BF16, session.Model.KvCacheDType);
        foreach (GoldenText golden in Cases)
        {
            Assert.Equal(golden.PromptIds, session.Tokenizer.Encode(golden.Prompt));
            golden.AssertFollowedBy(await CompleteAsync(session, golden), tolerance);
        }

        GenerationResult[] together = await Task.WhenAll(Cases.Select(golden => Task.Run(() => CompleteAsync(session, golden))));
        foreach ((GoldenText golden, GenerationResult result) in Cases.Zip(together)) golden.AssertFollowedBy(result, tolerance);
    }

    [Fact]
    public async Task A_cache_of_bf16_moves_no_logprob_by_more_than_its_tolerance()
    {
        await using InferenceSession wide = await LoadAsync(KvCacheDType.F32);
        await using InferenceSession narrow = await LoadAsync(KvCacheDType.BF16);
        double worst = 0;
        foreach (GoldenText golden in Cases)
        {
            GenerationResult expected = await CompleteAsync(wide, golden);
            GenerationResult actual = await CompleteAsync(narrow, golden);
            for (int i = 0; i < expected.TokenIds.Count && expected.TokenIds[i] == actual.TokenIds[i]; i++)
                worst = Math.Max(worst, Math.Abs(expected.Logprobs[i].Logprob - actual.Logprobs[i].Logprob));
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"largest difference {worst:g3}");
        Assert.InRange(worst, 1e-6, ToleranceBF16 / 2);
    }

    [Fact]
    public async Task The_model_ends_its_answers_and_their_text_is_the_golden_one()
    {
        await using InferenceSession session = await LoadAsync(KvCacheDType.F32);
        foreach (GoldenText golden in Cases)
        {
            GenerationResult result = await session.CompleteAsync(golden.Prompt, Greedy with { IgnoreEos = false, MaxNewTokens = golden.GreedyIds.Length });
            Assert.Equal(golden.FirstEnd is null ? FinishReason.Length : FinishReason.Stop, result.FinishReason);
            Assert.Equal(golden.Text, result.Text);
        }
    }

    private static GoldenText[] Cases { get; } = GoldenText.ReadAll("tiny-llama");

    private static Task<InferenceSession> LoadAsync(KvCacheDType cache) => InferenceSession.LoadAsync(
        RepositoryPaths.TinyLlama, new InferenceSessionOptions { Device = DevicePreference.Cpu, NumThreads = 2, KvCacheDType = cache });

    private static Task<GenerationResult> CompleteAsync(InferenceSession session, GoldenText golden) =>
        session.CompleteAsync(golden.Prompt, Greedy with { MaxNewTokens = golden.GreedyIds.Length });
}
