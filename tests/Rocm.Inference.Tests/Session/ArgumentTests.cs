using Rocm.Inference.Tests.Engine;
using Xunit;

namespace Rocm.Inference.Tests.Session;

public sealed class ArgumentTests
{
    public static TheoryData<GenerationOptions, string> BadOptions => new()
    {
        { new() { MaxNewTokens = 0 }, "MaxNewTokens" },
        { new() { MinNewTokens = -1 }, "MinNewTokens" },
        { new() { MinNewTokens = 5, MaxNewTokens = 4 }, "MinNewTokens" },
        { new() { Temperature = -0.1f }, "Temperature" },
        { new() { Temperature = float.NaN }, "Temperature" },
        { new() { Temperature = float.PositiveInfinity }, "Temperature" },
        { new() { TopK = -1 }, "TopK" },
        { new() { TopP = 0 }, "TopP" },
        { new() { TopP = 1.01f }, "TopP" },
        { new() { TopP = float.NaN }, "TopP" },
        { new() { MinP = -1 }, "MinP" },
        { new() { MinP = 2 }, "MinP" },
        { new() { RepetitionPenalty = 0 }, "RepetitionPenalty" },
        { new() { RepetitionPenalty = float.NaN }, "RepetitionPenalty" },
        { new() { PresencePenalty = 2.5f }, "PresencePenalty" },
        { new() { FrequencyPenalty = float.NaN }, "FrequencyPenalty" },
        { new() { Logprobs = -1 }, "Logprobs" },
        { new() { Logprobs = 101 }, "Logprobs" },
        { new() { StopStrings = [""] }, "StopStrings[0]" },
        { new() { StopStrings = ["ok", null!] }, "StopStrings[1]" },
        { new() { StopStrings = ["\uD800"] }, "StopStrings[0]" },
        { new() { StopStrings = null! }, "StopStrings" },
        { new() { StopTokenIds = [-1] }, "StopTokenIds[0]" },
        { new() { LogitBias = new Dictionary<int, float> { [-1] = 1 } }, "LogitBias" },
        { new() { LogitBias = new Dictionary<int, float> { [3] = float.NaN } }, "LogitBias" },
        { new() { LogitBias = new Dictionary<int, float> { [3] = float.PositiveInfinity } }, "LogitBias" },
        { new() { CacheSalt = "" }, "CacheSalt" },
    };

    [Theory]
    [MemberData(nameof(BadOptions))]
    public async Task Options_out_of_range_are_refused_at_the_call_and_named(GenerationOptions options, string field)
    {
        await using InferenceSession session = (await FakeModelLoader.LoadAsync()).Session;
        var exception = Assert.ThrowsAny<ArgumentException>(() => session.GenerateAsync("abc", options));
        Assert.Contains(field, exception.Message, StringComparison.Ordinal);
        Assert.ThrowsAny<ArgumentException>(() => session.GenerateAsync(new[] { 1 }, options));
    }

    [Fact]
    public async Task Prompts_that_are_no_text_or_empty_are_refused()
    {
        await using InferenceSession session = (await FakeModelLoader.LoadAsync()).Session;
        Assert.Throws<ArgumentNullException>(() => session.GenerateAsync((string)null!));
        foreach (string bad in (string[])["ab\uD800c", "\uDC00", "\uD800", "\uD83D\uDE00\uDC00"])
            Assert.Contains("UTF-16", Assert.Throws<ArgumentException>(() => session.GenerateAsync(bad)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => session.GenerateAsync(ReadOnlyMemory<int>.Empty));

        // Only the tokenizer knows that a text has no tokens.
        await Assert.ThrowsAsync<ArgumentException>(() => session.CompleteAsync(string.Empty));
    }

    [Fact]
    public async Task Ids_outside_the_vocabulary_are_refused_before_any_step()
    {
        (InferenceSession session, FakeModelLoader loader) = await FakeModelLoader.LoadAsync();
        await using InferenceSession disposing = session;
        await Assert.ThrowsAnyAsync<ArgumentException>(() => session.CompleteAsync(new[] { 1, 128 }));
        await Assert.ThrowsAnyAsync<ArgumentException>(() => session.CompleteAsync(new[] { -1 }));
        await Assert.ThrowsAnyAsync<ArgumentException>(() => session.CompleteAsync("a", new GenerationOptions { StopTokenIds = [128] }));
        await Assert.ThrowsAnyAsync<ArgumentException>(() =>
            session.CompleteAsync("a", new GenerationOptions { LogitBias = new Dictionary<int, float> { [128] = 1 } }));
        var all = Enumerable.Range(0, 128).ToDictionary(id => id, _ => float.NegativeInfinity);
        await Assert.ThrowsAnyAsync<ArgumentException>(() => session.CompleteAsync("a", new GenerationOptions { LogitBias = all }));
        Assert.Equal(0, loader.Executor!.NumSteps);
        Assert.Equal(SessionState.Ready, session.State);
    }

    [Fact]
    public async Task A_prompt_longer_than_the_context_is_refused_with_the_three_numbers_before_any_step()
    {
        (InferenceSession session, FakeModelLoader loader) = await FakeModelLoader.LoadAsync(new FakeModelOptions { MaxModelLen = 50 });
        await using InferenceSession disposing = session;
        var tooLong = await Assert.ThrowsAsync<ContextLengthExceededException>(() => session.CompleteAsync(new string('x', 50)));
        Assert.Equal((50, null, 50), (tooLong.PromptTokens, tooLong.MaxNewTokens, tooLong.MaxModelLen));
        var tooMany = await Assert.ThrowsAsync<ContextLengthExceededException>(
            () => session.CompleteAsync(new string('x', 45), new GenerationOptions { MaxNewTokens = int.MaxValue }));
        Assert.Equal((45, int.MaxValue, 50), (tooMany.PromptTokens, tooMany.MaxNewTokens, tooMany.MaxModelLen));
        Assert.Contains("50", tooMany.Message, StringComparison.Ordinal);
        Assert.Equal(0, loader.Executor!.NumSteps);
        Assert.Equal(5, (await session.CompleteAsync(new string('x', 45), new GenerationOptions { MaxNewTokens = 5 })).Usage.GeneratedTokens);
    }

    [Fact]
    public async Task A_cache_smaller_than_the_context_bounds_a_request()
    {
        // Ten usable blocks of 4 tokens: 40 in the cache and one that is only given out.
        await using InferenceSession session = (await FakeModelLoader.LoadAsync(new FakeModelOptions { NumBlocks = 11 })).Session;
        Assert.Equal(31, (await session.CompleteAsync("0123456789", new GenerationOptions { Temperature = 0 })).Usage.GeneratedTokens);
        await Assert.ThrowsAsync<ContextLengthExceededException>(() => session.CompleteAsync(new string('x', 41)));
    }

    [Fact]
    public async Task A_call_that_is_cancelled_already_computes_nothing()
    {
        (InferenceSession session, FakeModelLoader loader) = await FakeModelLoader.LoadAsync();
        await using InferenceSession disposing = session;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => session.CompleteAsync("abc", null, new CancellationToken(true)));
        Assert.Equal(0, loader.Executor!.NumSteps);
    }
}
