using Rocm.Inference.Engine;
using Rocm.Inference.Tests.Engine;
using Xunit;

namespace Rocm.Inference.Tests.Session;

public sealed class GenerationTests
{
    private static readonly GenerationOptions Greedy = new() { Temperature = 0 };

    [Fact]
    public async Task Text_ends_before_a_stop_string_that_spans_tokens_and_ids_end_with_it()
    {
        GenerationResult result = await Say("Hello. STOP and more", Greedy with { StopStrings = ["STOP"] });
        Assert.Equal("Hello. ", result.Text);
        Assert.Equal(FinishReason.StopString, result.FinishReason);
        Assert.Equal("Hello. STOP".Length, result.Usage.GeneratedTokens);
        Assert.Equal(result.Usage.GeneratedTokens, result.TokenIds.Count);
    }

    [Fact]
    public async Task No_update_shows_a_part_of_a_stop_string()
    {
        await using InferenceSession session = (await FakeModelLoader.LoadAsync(Saying("ab<<x<<end", 3))).Session;
        string shown = string.Empty;
        await foreach (GenerationUpdate update in session.GenerateAsync("abc", Greedy with { StopStrings = ["<<end"] }))
        {
            shown += update.Text;
            Assert.StartsWith(shown, "ab<<x", StringComparison.Ordinal);
        }

        Assert.Equal("ab<<x", shown);
    }

    [Fact]
    public async Task Text_held_back_for_a_stop_string_comes_out_when_the_answer_ends_otherwise()
    {
        Assert.Equal("price <<en", (await Say("price <<en", Greedy with { StopStrings = ["<<end"] })).Text);
        GenerationResult cut = await Say("price <<en", Greedy with { StopStrings = ["<<end"], MaxNewTokens = 8 });
        Assert.Equal(("price <<", FinishReason.Length), (cut.Text, cut.FinishReason));
    }

    [Fact]
    public async Task The_end_token_ends_the_answer_is_counted_and_has_no_text()
    {
        GenerationResult result = await Say("done", Greedy);
        Assert.Equal(("done", FinishReason.Stop), (result.Text, result.FinishReason));
        Assert.Equal([.. "done".Select(c => (int)c), 0], result.TokenIds);
        Assert.Equal(new GenerationUsage(3, 0, 5), result.Usage);
        Assert.True(result.Timings.Total >= result.Timings.TimeToFirstToken);
        Assert.True(result.Timings.GeneratedTokensPerSecond > 0);
    }

    [Fact]
    public async Task Stop_token_ids_end_the_answer_and_ignoring_the_end_token_goes_on()
    {
        GenerationResult stopped = await Say("one; two", Greedy with { StopTokenIds = [';'] });
        Assert.Equal(("one", FinishReason.Stop), (stopped.Text, stopped.FinishReason));
        GenerationResult longer = await Say("x", Greedy with { IgnoreEos = true, MaxNewTokens = 5 });
        Assert.Equal((5, FinishReason.Length), (longer.Usage.GeneratedTokens, longer.FinishReason));
    }

    [Fact]
    public async Task End_tokens_and_stop_strings_wait_for_the_minimum()
    {
        GenerationResult result = await Say("x", Greedy with { MinNewTokens = 6, MaxNewTokens = 9 });
        Assert.True(result.Usage.GeneratedTokens >= 6);
        Assert.DoesNotContain(0, result.TokenIds.Take(5));
        Assert.Equal("aaba", (await Say("aabaa", Greedy with { StopStrings = ["a"], MinNewTokens = 5 })).Text);
    }

    [Fact]
    public async Task Without_a_length_an_answer_may_fill_the_context()
    {
        await using InferenceSession session = (await FakeModelLoader.LoadAsync(new FakeModelOptions { MaxModelLen = 40 })).Session;
        GenerationResult result = await session.CompleteAsync("0123456789", Greedy);
        Assert.Equal((30, FinishReason.Length), (result.Usage.GeneratedTokens, result.FinishReason));
    }

    [Fact]
    public async Task Logprobs_come_one_per_token_with_as_many_likely_tokens_as_asked()
    {
        await using InferenceSession session = (await FakeModelLoader.LoadAsync()).Session;
        GenerationResult result = await session.CompleteAsync("abc", Greedy with { MaxNewTokens = 7, Logprobs = 4 });
        Assert.Equal(result.TokenIds, result.Logprobs.Select(entry => entry.TokenId));
        foreach (TokenLogprobs entry in result.Logprobs)
        {
            Assert.Equal(4, entry.Top.Count);
            Assert.Equal(new TokenLogprob(entry.TokenId, entry.Logprob), entry.Top[0]);
            Assert.True(entry.Logprob < 0);
            Assert.Equal(entry.Top.OrderByDescending(top => top.Logprob), entry.Top);
        }

        Assert.All((await session.CompleteAsync("abc", Greedy with { MaxNewTokens = 3, Logprobs = 0 })).Logprobs, entry => Assert.Empty(entry.Top));
        Assert.Empty((await session.CompleteAsync("abc", Greedy with { MaxNewTokens = 3 })).Logprobs);

        // Rows with and without log-probabilities in one batch keep apart.
        GenerationResult[] mixed = await Task.WhenAll(Enumerable.Range(0, 6).Select(i =>
            session.CompleteAsync("abc", Greedy with { MaxNewTokens = 7, Logprobs = i % 3 == 0 ? null : i })));
        for (int i = 0; i < 6; i++)
            Assert.Equal(i % 3 == 0 ? [] : result.Logprobs.Select(l => l.Logprob), mixed[i].Logprobs.Select(l => l.Logprob));
    }

    [Fact]
    public async Task A_seed_repeats_the_answer_and_another_seed_gives_another()
    {
        await using InferenceSession session = (await FakeModelLoader.LoadAsync()).Session;
        GenerationOptions options = new() { Temperature = 1.5f, MaxNewTokens = 30, Seed = -5 };
        string first = (await session.CompleteAsync("abc", options)).Text;
        string[] again = await Task.WhenAll(Enumerable.Range(0, 5).Select(async _ => (await session.CompleteAsync("abc", options)).Text));
        Assert.All(again, text => Assert.Equal(first, text));
        Assert.NotEqual(first, (await session.CompleteAsync("abc", options with { Seed = 6 })).Text);
        Assert.NotEqual((await session.CompleteAsync("abc", options with { Seed = null })).Text, (await session.CompleteAsync("abc", options with { Seed = null })).Text);
    }

    [Fact]
    public async Task Forbidden_and_favoured_tokens_show_in_the_answer()
    {
        await using InferenceSession session = (await FakeModelLoader.LoadAsync()).Session;
        GenerationResult plain = await session.CompleteAsync("abc", Greedy with { MaxNewTokens = 1 });
        int best = plain.TokenIds[0];
        GenerationOptions ban = Greedy with { MaxNewTokens = 1, LogitBias = new Dictionary<int, float> { [best] = float.NegativeInfinity } };
        Assert.NotEqual(best, (await session.CompleteAsync("abc", ban)).TokenIds[0]);
        GenerationOptions favour = Greedy with { MaxNewTokens = 3, LogitBias = new Dictionary<int, float> { ['#'] = 100 } };
        Assert.Equal("###", (await session.CompleteAsync("abc", favour)).Text);

        // A favour of 9 on logits of 0 to 8 always wins; a penalty of 2 per occurrence eats it up in nine tokens at most.
        GenerationOptions repeat = favour with { MaxNewTokens = 12, LogitBias = new Dictionary<int, float> { ['#'] = 9 } };
        Assert.Equal(new string('#', 12), (await session.CompleteAsync("abc", repeat)).Text);
        Assert.NotEqual(new string('#', 12), (await session.CompleteAsync("abc", repeat with { FrequencyPenalty = 2 })).Text);
    }

    [Fact]
    public async Task Generation_defaults_are_used_only_when_the_model_samples()
    {
        var sampling = new GenerationDefaults { DoSample = true, Temperature = 5, RepetitionPenalty = 1 };
        await using InferenceSession samples = (await FakeModelLoader.LoadAsync(new FakeModelOptions { Defaults = sampling })).Session;
        await using InferenceSession greedy = (await FakeModelLoader.LoadAsync(new FakeModelOptions { Defaults = sampling with { DoSample = false } })).Session;
        GenerationOptions options = new() { MaxNewTokens = 30 };
        string expected = (await greedy.CompleteAsync("abc", options with { Temperature = 0 })).Text;
        Assert.Equal(expected, (await greedy.CompleteAsync("abc", options)).Text);
        Assert.Equal(expected, (await samples.CompleteAsync("abc", options with { Temperature = 0 })).Text);
        Assert.NotEqual(expected, (await samples.CompleteAsync("abc", options)).Text);
    }

    [Fact]
    public async Task Every_enumeration_is_a_request_of_its_own_and_none_starts_before()
    {
        (InferenceSession session, FakeModelLoader loader) = await FakeModelLoader.LoadAsync();
        await using InferenceSession disposing = session;
        IAsyncEnumerable<GenerationUpdate> updates = session.GenerateAsync("abc", Greedy with { MaxNewTokens = 5 });
        await Task.Delay(20);
        Assert.Equal(0, loader.Executor!.NumSteps);
        for (int i = 1; i <= 2; i++)
        {
            int tokens = 0;
            await foreach (GenerationUpdate update in updates) tokens += update.TokenIds.Count;
            Assert.Equal(5, tokens);
            Assert.Equal(i, session.Statistics.FinishedRequests);
        }
    }

    [Fact]
    public async Task Cached_prompt_tokens_are_reported_and_salts_keep_apart()
    {
        await using InferenceSession session = (await FakeModelLoader.LoadAsync()).Session;
        string prompt = new('p', 41);
        Assert.Equal(0, (await session.CompleteAsync(prompt, Greedy with { MaxNewTokens = 2 })).Usage.CachedPromptTokens);
        Assert.Equal(40, (await session.CompleteAsync(prompt, Greedy with { MaxNewTokens = 2 })).Usage.CachedPromptTokens);
        Assert.Equal(0, (await session.CompleteAsync(prompt, Greedy with { MaxNewTokens = 2, CacheSalt = "other" })).Usage.CachedPromptTokens);
    }

    private static FakeModelOptions Saying(string text, int promptLen) =>
        new() { EosTokenIds = [0], FillLogits = FakeModelOptions.Says(text, promptLen) };

    private static async Task<GenerationResult> Say(string text, GenerationOptions options)
    {
        await using InferenceSession session = (await FakeModelLoader.LoadAsync(Saying(text, 3))).Session;
        return await session.CompleteAsync("abc", options);
    }
}
