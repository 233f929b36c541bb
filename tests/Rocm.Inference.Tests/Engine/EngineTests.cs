using Rocm.Inference.Engine;
using Rocm.Inference.Scheduling;
using Xunit;

namespace Rocm.Inference.Tests.Engine;

public sealed class EngineTests
{
    private static readonly GenerationOptions Greedy = new() { Temperature = 0, MaxNewTokens = 20 };

    [Fact]
    public async Task An_answer_is_the_same_alone_in_a_batch_in_pieces_on_a_prefix_hit_and_after_preemption()
    {
        string[] prompts = [.. Enumerable.Range(0, 12).Select(i => new string((char)('a' + i), 5 + (i * 7)))];
        GenerationOptions options = Greedy with { MaxNewTokens = 60 };
        var alone = new List<string>();
        await using (InferenceSession session = (await FakeModelLoader.LoadAsync()).Session)
        {
            foreach (string prompt in prompts) alone.Add((await session.CompleteAsync(prompt, options)).Text);
            foreach (string prompt in prompts) Assert.Contains((await session.CompleteAsync(prompt, options)).Text, alone);
            Assert.True(session.Statistics.PrefixCacheHits > 0);
            string[] together = await Task.WhenAll(prompts.Select(async prompt => (await session.CompleteAsync(prompt, options)).Text));
            Assert.Equal(alone, together);
        }

        // 51 usable blocks of 4 tokens for twelve requests of up to 142 tokens, in pieces of at most 16.
        var tight = new FakeModelOptions { NumBlocks = 52, MaxNumBatchedTokens = 16, MaxNumRequests = 8 };
        (InferenceSession squeezed, FakeModelLoader loader) = await FakeModelLoader.LoadAsync(tight);
        await using (squeezed)
        {
            string[] together = await Task.WhenAll(prompts.Select(async prompt => (await squeezed.CompleteAsync(prompt, options)).Text));
            Assert.Equal(alone, together);
            SessionStatistics statistics = squeezed.Statistics;
            Assert.True(statistics.Preemptions > 0, "the pool was not tight enough to test anything");
            Assert.Equal(0, statistics.KvCacheBlocksUsed);
            Assert.True(loader.Executor!.MaxRows > 1);
        }
    }

    [Fact]
    public async Task Sixty_four_callers_of_which_half_cancel_get_their_own_answers_or_their_own_cancellation()
    {
        var options = new FakeModelOptions { MaxNumRequests = 16, NumBlocks = 200, OnStep = WaitForReaders };
        (InferenceSession session, FakeModelLoader loader) = await FakeModelLoader.LoadAsync(options);
        await using InferenceSession disposing = session;
        var expected = new Dictionary<int, string>();
        for (int i = 0; i < 64; i += 2) expected[i] = (await session.CompleteAsync(Prompt(i), Greedy)).Text;
        long stepsBefore = session.Statistics.Steps;

        await Task.WhenAll(Enumerable.Range(0, 64).Select(i => Task.Run(async () =>
        {
            if (i % 2 == 0)
            {
                Assert.Equal(expected[i], (await session.CompleteAsync(Prompt(i), Greedy)).Text);
                return;
            }

            using var cancel = new CancellationTokenSource();
            if (i % 4 == 1) cancel.CancelAfter(TimeSpan.FromMilliseconds(i % 7));
            var exception = await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
            {
                await foreach (GenerationUpdate _ in session.GenerateAsync(Prompt(i), Greedy with { MaxNewTokens = 200 }, cancel.Token))
                    await cancel.CancelAsync();
            });
            Assert.Equal(cancel.Token, exception.CancellationToken);
        })));

        await WaitUntil(() => session.Statistics is { RunningRequests: 0, WaitingRequests: 0, KvCacheBlocksUsed: 0 });
        Assert.Equal(64, session.Statistics.FinishedRequests);
        Assert.True(session.Statistics.Steps - stepsBefore < 64 * 20, "nothing was batched");
        Assert.True(loader.Executor!.MaxRows > 1);

        static string Prompt(int i) => $"caller number {i} says";
    }

    [Fact]
    public async Task Leaving_the_loop_early_frees_the_request()
    {
        await using InferenceSession session = (await FakeModelLoader.LoadAsync(new FakeModelOptions { OnStep = WaitForReaders })).Session;
        await foreach (GenerationUpdate _ in session.GenerateAsync("abc", Greedy with { MaxNewTokens = 200 })) break;
        await WaitUntil(() => session.Statistics is { RunningRequests: 0, KvCacheBlocksUsed: 0 });
        Assert.Equal(1, session.Statistics.CancelledRequests);
    }

    [Fact]
    public async Task Cancelling_in_the_queue_and_between_pieces_of_a_prompt_ends_only_that_request()
    {
        using var gate = new SemaphoreSlim(0);
        var options = new FakeModelOptions { MaxNumRequests = 1, MaxNumBatchedTokens = 8, OnStep = _ => gate.Wait() };
        await using InferenceSession session = (await FakeModelLoader.LoadAsync(options)).Session;
        using var cancelFirst = new CancellationTokenSource();
        using var cancelSecond = new CancellationTokenSource();
        Task<GenerationResult> first = session.CompleteAsync(new string('x', 100), Greedy, cancelFirst.Token);
        await WaitUntil(() => session.Statistics.RunningRequests == 1);
        Task<GenerationResult> second = session.CompleteAsync("queued", Greedy, cancelSecond.Token);
        Task<GenerationResult> third = session.CompleteAsync("stays", Greedy);

        // Cancelled while a step is in flight: the callers are told at once.
        gate.Release();
        await cancelFirst.CancelAsync();
        await cancelSecond.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second);
        gate.Release(1000);
        Assert.Equal(20, (await third).Usage.GeneratedTokens);
        Assert.Equal(0, session.Statistics.KvCacheBlocksUsed);
        Assert.Equal(2, session.Statistics.CancelledRequests);
    }

    [Fact]
    public async Task Disposing_ends_running_queued_and_later_generations_with_ObjectDisposedException()
    {
        // Ten seconds of steps: the running request cannot end by itself before the session is disposed.
        var options = new FakeModelOptions { MaxNumRequests = 1, OnStep = _ => Thread.Sleep(50) };
        (InferenceSession session, FakeModelLoader loader) = await FakeModelLoader.LoadAsync(options);
        Task<GenerationResult> running = session.CompleteAsync("running", Greedy with { MaxNewTokens = 200 });
        Task<GenerationResult> queued = session.CompleteAsync("queued", Greedy);
        await WaitUntil(() => session.Statistics.RunningRequests == 1);
        ValueTask disposing = session.DisposeAsync();
        await disposing;
        await Assert.ThrowsAsync<ObjectDisposedException>(() => running);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => queued);
        Assert.Throws<ObjectDisposedException>(() => session.GenerateAsync("later"));
        Assert.Throws<ObjectDisposedException>(() => session.Model);
        Assert.Equal(SessionState.Disposed, session.State);
        Assert.True(loader.Executor!.IsDisposed);
        session.Dispose();
    }

    [Fact]
    public async Task A_fault_ends_every_stream_once_with_the_shared_cause_and_the_session_is_faulted()
    {
        var cause = new InvalidOperationException("the device is on fire");
        int steps = 0;
        var options = new FakeModelOptions { OnStep = _ => { if (++steps > 5) throw cause; } };
        (InferenceSession session, FakeModelLoader loader) = await FakeModelLoader.LoadAsync(options);
        await using InferenceSession disposing = session;
        Task<GenerationResult>[] running = [.. Enumerable.Range(0, 8).Select(i => session.CompleteAsync($"request {i}", Greedy))];
        var errors = new HashSet<Exception>();
        foreach (Task<GenerationResult> task in running)
        {
            var error = await Assert.ThrowsAsync<RocmInferenceException>(() => task);
            Assert.Same(cause, error.InnerException);
            errors.Add(error);
        }

        Assert.Equal(8, errors.Count);
        Assert.Equal(SessionState.Faulted, session.State);
        var later = await Assert.ThrowsAsync<RocmInferenceException>(() => session.CompleteAsync("later", Greedy));
        Assert.Same(cause, later.InnerException);
        await WaitUntil(() => loader.Executor!.IsDisposed);
        Assert.Equal(6, steps);
    }

    [Fact]
    public async Task Logits_that_are_not_finite_fault_the_engine_with_a_message_that_says_so()
    {
        var options = new FakeModelOptions { FillLogits = (_, logits) => logits.Fill(float.NaN) };
        await using InferenceSession session = (await FakeModelLoader.LoadAsync(options)).Session;
        var error = await Assert.ThrowsAsync<RocmInferenceException>(() => session.CompleteAsync("abc", Greedy));
        Assert.Contains("not finite", error.InnerException!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_slow_reader_loses_nothing()
    {
        await using InferenceSession session = (await FakeModelLoader.LoadAsync()).Session;
        GenerationResult expected = await session.CompleteAsync("slow", Greedy with { MaxNewTokens = 100, Logprobs = 2 });
        var ids = new List<int>();
        var logprobs = new List<TokenLogprobs>();
        int updates = 0;
        await foreach (GenerationUpdate update in session.GenerateAsync("slow", Greedy with { MaxNewTokens = 100, Logprobs = 2 }))
        {
            if (updates++ == 1) await WaitUntil(() => session.Statistics.RunningRequests == 0);
            ids.AddRange(update.TokenIds);
            logprobs.AddRange(update.Logprobs);
        }

        Assert.True(updates < 50);
        Assert.Equal(expected.TokenIds, ids);
        Assert.Equal(expected.Logprobs.Select(l => (l.TokenId, l.Logprob)), logprobs.Select(l => (l.TokenId, l.Logprob)));
    }

    [Fact]
    public async Task Steady_decoding_allocates_nothing_on_the_engines_thread()
    {
        var allocated = new List<long>(4096);
        var options = new FakeModelOptions { MaxModelLen = 4096, NumBlocks = 4096, OnStep = _ => allocated.Add(GC.GetAllocatedBytesForCurrentThread()) };
        await using InferenceSession session = (await FakeModelLoader.LoadAsync(options)).Session;
        GenerationOptions sampled = Greedy with { MaxNewTokens = 1000, Temperature = 1, TopP = 0.9f, RepetitionPenalty = 1.1f, Logprobs = 3, StopStrings = ["\u0001"] };
        await Task.WhenAll(session.CompleteAsync("one", sampled), session.CompleteAsync("two", sampled with { Temperature = 0 }));

        // Growth of a request's own buffers is allowed, by doubling: few steps, and none of the last ones.
        long[] perStep = [.. allocated.Zip(allocated.Skip(1), (before, after) => after - before)];
        long[] steady = perStep[^600..^100];
        Assert.True(steady.Count(bytes => bytes == 0) >= 490, $"{steady.Count(bytes => bytes > 0)} of 500 steps allocate, {steady.Sum()} bytes in all");
    }

    /// <summary>Holds up a long answer until its reader cancels, or a slow reader would find it complete.</summary>
    private static void WaitForReaders(ScheduledStep step)
    {
        foreach (ScheduledRow row in step.Rows)
        {
            GenerationStream stream = ((EngineRequest)row.Request.State!).Stream;
            if (row.Request.NumGeneratedTokens > 150) SpinWait.SpinUntil(() => stream.IsEnded, TimeSpan.FromSeconds(30));
        }
    }

    internal static async Task WaitUntil(Func<bool> condition)
    {
        for (int i = 0; !condition(); i++)
        {
            Assert.True(i < 3000, "waited for half a minute in vain");
            await Task.Delay(10);
        }
    }
}
