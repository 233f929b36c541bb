using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Golden.Session;

/// <summary>
/// Backends that compute a token by different paths (prefill, extend, decode; latents absorbed or not): neighbours change no bit of an answer; chunks, cached
/// prefixes and preemption change no more than rounding, and the words only where two are as likely.
/// </summary>
public sealed class SessionEquivalenceTests
{
    /// <summary>
    /// Logits of the trained model reach 20, those of the goldens 3; two paths of f32 arithmetic differ by up to 2e-5 of the latter. A log-probability has the
    /// error of its logit and of the normaliser.
    /// </summary>
    private const double Tolerance = 4e-4;

    private const int NewTokens = 24;
    private const int MaxModelLen = 160;

    public static TheoryData<string, string> Models
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (string backend in TestBackends.Names(AttentionKind.Mla)) data.Add("tiny-mla", backend);
            data.Add("deepseek-v2-grouped", AttentionBackendNames.TritonMla);
            foreach (string name in (string[])["gpt-oss", "gemma3", "qwen2-moe"])
            {
                data.Add(name, AttentionBackendNames.RocmAttn);
                data.Add(name, AttentionBackendNames.RocmAiterFa);
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Models))]
    public async Task An_answer_does_not_depend_on_how_it_was_computed(string name, string backend)
    {
        // Always the same prompts: which experts a token takes is no continuous matter, and a random one now and then hangs on the last bit.
        var random = new TestRandom(20);
        using SessionFolder folder = SessionFolder.Named(name);
        var options = new InferenceSessionOptions
        {
            Device = DevicePreference.Cpu, KvCacheDType = KvCacheDType.F32, MaxModelLen = MaxModelLen, NumThreads = 1, EnablePrefixCaching = false,
            AttentionBackend = backend, MaxNumBatchedTokens = 1024,
        };
        int[][] prompts, words;
        Answer[] expected, expectedOfWords;
        long blockBytes;
        await using (InferenceSession alone = await InferenceSession.LoadAsync(folder.Path, options))
        {
            prompts = Answer.RandomPrompts(random, 5, alone.Model.VocabSize, MaxModelLen - NewTokens);
            prompts[0] = [.. Enumerable.Range(0, MaxModelLen - NewTokens).Select(_ => random.Next(3, alone.Model.VocabSize))];
            words = [.. Enumerable.Range(0, 12).Select(_ => new[] { random.Next(3, alone.Model.VocabSize) })];
            expected = await OneByOneAsync(alone, prompts);
            expectedOfWords = await OneByOneAsync(alone, words);
            blockBytes = alone.Model.KvCacheBytes / (alone.Statistics.KvCacheBlocks + 1);
        }

        await CheckAsync("in a batch, 2 threads", exact: true, o => o.NumThreads = 2, session => Answer.OfAllAsync(session, prompts, NewTokens));
        await CheckAsync("in chunks", exact: false, o => (o.MaxNumBatchedTokens, o.MaxNumRequests) = (23, 5), session => Answer.OfAllAsync(session, prompts, NewTokens));
        await CheckAsync("on cached prefixes", exact: false, o => o.EnablePrefixCaching = true, async session =>
        {
            await Answer.OfAllAsync(session, prompts, NewTokens);
            Answer[] again = await Answer.OfAllAsync(session, prompts, NewTokens);
            Assert.True(again[0].Usage.CachedPromptTokens > 0, "nothing was found in the prefix cache");
            return again;
        });
        await CheckAsync("after preemption", exact: false, o =>
        {
            (o.MaxNumRequests, o.MaxNumBatchedTokens) = (16, 64);
            o.KvCacheMemoryBytes = LeastCacheBytes(folder, o, blockBytes);
        }, async session =>
        {
            // Requests of one token fill the cache and then grow.
            Answer[] grown = await Answer.OfAllAsync(session, words, NewTokens);
            Assert.True(session.Statistics.Preemptions > 0, $"nothing was preempted with {session.Statistics.KvCacheBlocks} blocks");
            for (int i = 0; i < words.Length; i++) AssertClose($"after preemption: word {i}", expectedOfWords[i], grown[i]);
            return (await Answer.OfAllAsync(session, [.. prompts, .. words], NewTokens))[..prompts.Length];
        });

        async Task CheckAsync(string how, bool exact, Action<InferenceSessionOptions> change, Func<InferenceSession, Task<Answer[]>> answer)
        {
            InferenceSessionOptions changed = options.Clone();
            change(changed);
            await using InferenceSession session = await InferenceSession.LoadAsync(folder.Path, changed);
            Answer[] actual = await answer(session);
            for (int i = 0; i < expected.Length; i++)
            {
                if (exact) Assert.True(expected[i].Logprobs.SequenceEqual(actual[i].Logprobs), $"{how}: the log-probabilities of request {i} have other bits");
                else AssertClose($"{how}: request {i}", expected[i], actual[i]);
            }
        }
    }

    private static async Task<Answer[]> OneByOneAsync(InferenceSession session, int[][] prompts)
    {
        var answers = new Answer[prompts.Length];
        for (int i = 0; i < prompts.Length; i++) answers[i] = await Answer.OfAsync(session, prompts[i], NewTokens);
        return answers;
    }

    private static void AssertClose(string what, Answer expected, Answer actual)
    {
        int width = expected.Logprobs.Length / expected.Ids.Length;
        for (int step = 0; step < expected.Ids.Length; step++)
        {
            // The chosen id, then the likeliest ones.
            (int Id, double Logprob)[] mine = Entries(expected, step, width), others = Entries(actual, step, width);
            if (expected.Ids[step] == actual.Ids[step])
                Assert.True(Math.Abs(mine[0].Logprob - others[0].Logprob) <= Tolerance, $"{what}, step {step}: {others[0].Logprob} instead of {mine[0].Logprob}");
            if (expected.Ids[step] == actual.Ids[step]) continue;
            Assert.True(mine[1].Logprob - mine[2].Logprob <= 2 * Tolerance, $"{what}: id {actual.Ids[step]} instead of {expected.Ids[step]} at step {step}");
            return;
        }
    }

    private static (int Id, double Logprob)[] Entries(Answer answer, int step, int width) =>
        [.. answer.Logprobs[(step * width)..((step + 1) * width)].Select(entry => (entry.Id, (double)BitConverter.Int32BitsToSingle(entry.Bits)))];

    /// <summary>The least cache that holds one full sequence: what the refusal of a smaller one asks for.</summary>
    private static long LeastCacheBytes(SessionFolder folder, InferenceSessionOptions options, long blockBytes)
    {
        InferenceSessionOptions tooSmall = options.Clone();
        tooSmall.KvCacheMemoryBytes = 3 * blockBytes;
        var refusal = Assert.Throws<DeviceMemoryException>(() => InferenceSession.LoadAsync(folder.Path, tooSmall).GetAwaiter().GetResult());
        return refusal.RequestedBytes;
    }
}
