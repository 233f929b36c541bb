using Rocm.Inference.TestKit;

namespace Rocm.Inference.Golden.Session;

/// <summary>What a greedy request said: ids, and the bits of the log-probabilities of each and of its rivals.</summary>
internal sealed record Answer(int[] Ids, (int Id, int Bits)[] Logprobs, GenerationUsage Usage)
{
    private const int NumRivals = 3;

    public static GenerationOptions Greedy(int maxNewTokens) =>
        new() { Temperature = 0, RepetitionPenalty = 1, IgnoreEos = true, MaxNewTokens = maxNewTokens, Logprobs = NumRivals };

    public static async Task<Answer> OfAsync(InferenceSession session, int[] prompt, int maxNewTokens)
    {
        GenerationResult result = await session.CompleteAsync(prompt, Greedy(maxNewTokens));
        return new Answer(
            [.. result.TokenIds],
            [.. result.Logprobs.SelectMany(entry => entry.Top.Prepend(new TokenLogprob(entry.TokenId, entry.Logprob)))
                .Select(entry => (entry.TokenId, BitConverter.SingleToInt32Bits(entry.Logprob)))],
            result.Usage);
    }

    /// <summary>Runs all requests at once.</summary>
    public static Task<Answer[]> OfAllAsync(InferenceSession session, IEnumerable<int[]> prompts, int maxNewTokens) =>
        Task.WhenAll(prompts.Select(prompt => Task.Run(() => OfAsync(session, prompt, maxNewTokens))));

    /// <summary>Prompts of random ids and lengths, of at most <paramref name="maxLength"/>.</summary>
    public static int[][] RandomPrompts(TestRandom random, int count, int vocabSize, int maxLength) =>
        [.. Enumerable.Range(0, count).Select(_ => Enumerable.Range(0, random.Next(1, maxLength + 1)).Select(_ => random.Next(3, vocabSize)).ToArray())];
}
