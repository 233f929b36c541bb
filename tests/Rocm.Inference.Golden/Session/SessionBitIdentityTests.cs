using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Golden.Session;

/// <summary>
/// What a greedy request answers does not depend on its neighbours, on how its prompt was cut, on what was cached, on preemption, on the number of threads:
/// to the last bit of its log-probabilities.
/// </summary>
public sealed class SessionBitIdentityTests
{
    private const int NewTokens = 24;
    private const int MaxModelLen = 128;

    public static TheoryData<string, KvCacheDType> Models
    {
        get
        {
            var data = new TheoryData<string, KvCacheDType>();
            foreach (string name in (string[])["tiny-llama", "gemma2", "gemma3", "mistral", "qwen3-moe", "gpt-oss", "phi3-longrope"])
            {
                data.Add(name, KvCacheDType.F32);
                data.Add(name, KvCacheDType.BF16);
            }

            data.Add("tiny-llama", KvCacheDType.F16);
            data.Add("gemma3", KvCacheDType.F16);
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Models))]
    public async Task An_answer_has_the_same_bits_however_it_was_computed(string name, KvCacheDType cache)
    {
        var random = new TestRandom(Random.Shared.Next());
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {random.Seed}");
        using SessionFolder folder = SessionFolder.Named(name);
        var options = new InferenceSessionOptions
        {
            // Small blocks, so that short sequences span many of them and a scarce cache preempts.
            Device = DevicePreference.Cpu, KvCacheDType = cache, BlockSize = 16, MaxModelLen = MaxModelLen, NumThreads = 1, EnablePrefixCaching = false,
        };

        long blockBytes;
        int[][] prompts, others;
        Answer[] expected;
        await using (InferenceSession alone = await InferenceSession.LoadAsync(folder.Path, options))
        {
            prompts = Answer.RandomPrompts(random, 6, alone.Model.VocabSize, MaxModelLen - NewTokens);
            others = Answer.RandomPrompts(random, 6, alone.Model.VocabSize, MaxModelLen - NewTokens);
            prompts[0] = [.. Enumerable.Range(0, MaxModelLen - NewTokens).Select(_ => random.Next(3, alone.Model.VocabSize))];
            expected = new Answer[prompts.Length];
            for (int i = 0; i < prompts.Length; i++) expected[i] = await Answer.OfAsync(alone, prompts[i], NewTokens);
            blockBytes = alone.Model.KvCacheBytes / (alone.Statistics.KvCacheBlocks + 1);
        }

        await CheckAsync("in a batch, 2 threads", o => o.NumThreads = 2, async session =>
        {
            Task<Answer[]> noise = Answer.OfAllAsync(session, others, NewTokens);
            Answer[] answers = await Answer.OfAllAsync(session, prompts, NewTokens);
            await noise;
            return answers;
        });
        await CheckAsync("in chunks, 3 threads", o =>
        {
            (o.NumThreads, o.MaxNumBatchedTokens, o.MaxNumRequests) = (3, 7, 5);
        }, session => Answer.OfAllAsync(session, prompts, NewTokens));
        await CheckAsync("on cached prefixes", o => (o.EnablePrefixCaching, o.NumThreads) = (true, 2), async session =>
        {
            AssertSame("before the cache is filled", expected, await Answer.OfAllAsync(session, prompts, NewTokens));
            Answer[] again = await Answer.OfAllAsync(session, prompts, NewTokens);
            Assert.True(again[0].Usage.CachedPromptTokens > 0, "nothing was found in the prefix cache");
            Assert.True(session.Statistics.PrefixCacheHits > 0);
            return again;
        });
        foreach (bool prefixes in (bool[])[false, true])
        {
            await CheckAsync($"after preemption, prefix cache {prefixes}", o =>
            {
                (o.NumThreads, o.EnablePrefixCaching, o.MaxNumBatchedTokens) = (2, prefixes, 64);
                o.MaxNumRequests = 16;
                o.KvCacheMemoryBytes = LeastCacheBytes(folder, o, blockBytes);
            }, async session =>
            {
                // Requests of one token grow into a full cache.
                int[][] crowd = [.. prompts, .. others.Select(prompt => prompt[..1])];
                Answer[] answers = await Answer.OfAllAsync(session, crowd, NewTokens);
                for (int round = 0; session.Statistics.Preemptions == 0 && round < 20; round++)
                    answers = await Answer.OfAllAsync(session, crowd, NewTokens);
                Assert.True(session.Statistics.Preemptions > 0, $"nothing was preempted with {session.Statistics.KvCacheBlocks} blocks");
                return answers[..prompts.Length];
            });
        }

        async Task CheckAsync(string how, Action<InferenceSessionOptions> change, Func<InferenceSession, Task<Answer[]>> answer)
        {
            InferenceSessionOptions changed = options.Clone();
            change(changed);
            await using InferenceSession session = await InferenceSession.LoadAsync(folder.Path, changed);
            AssertSame(how, expected, await answer(session));
            Assert.Equal((0, 0, 0), (session.Statistics.RunningRequests, session.Statistics.WaitingRequests, session.Statistics.KvCacheBlocksUsed));
        }
    }

    private static void AssertSame(string how, Answer[] expected, Answer[] actual)
    {
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.True(expected[i].Ids.SequenceEqual(actual[i].Ids), $"{how}: request {i} says [{string.Join(' ', actual[i].Ids)}] instead of [{string.Join(' ', expected[i].Ids)}]");
            Assert.True(expected[i].Logprobs.SequenceEqual(actual[i].Logprobs), $"{how}: the log-probabilities of request {i} have other bits");
        }
    }

    /// <summary>The least cache that holds one full sequence: what the refusal of a smaller one asks for.</summary>
    private static long LeastCacheBytes(SessionFolder folder, InferenceSessionOptions options, long blockBytes)
    {
        InferenceSessionOptions tooSmall = options.Clone();
        tooSmall.KvCacheMemoryBytes = 3 * blockBytes;
        var refusal = Assert.Throws<DeviceMemoryException>(() => InferenceSession.LoadAsync(folder.Path, tooSmall).GetAwaiter().GetResult());
        return refusal.RequestedBytes;
    }
}
