using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Golden.Session;

/// <summary>Many callers of one session that leave when they like, and a session that goes while they read.</summary>
public sealed class SessionConcurrencyTests
{
    private const int NewTokens = 24;

    private static InferenceSessionOptions Options => new() { Device = DevicePreference.Cpu, NumThreads = 2, MaxModelLen = 128 };

    [Fact]
    public async Task Of_64_callers_half_cancel_at_random_and_the_others_get_their_solo_answers()
    {
        var random = new TestRandom(Random.Shared.Next());
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {random.Seed}");
        await using InferenceSession session = await InferenceSession.LoadAsync(RepositoryPaths.TinyLlama, Options);
        int[][] prompts = Answer.RandomPrompts(random, 64, session.Model.VocabSize, 60);
        var expected = new Answer[prompts.Length];
        for (int i = 0; i < prompts.Length; i += 2) expected[i] = await Answer.OfAsync(session, prompts[i], NewTokens);

        int numCancelled = 0;
        await Task.WhenAll(Enumerable.Range(0, prompts.Length).Select(i =>
        {
            (bool afterTime, int point) = (random.Chance(0.5), random.Next(0, NewTokens));
            return Task.Run(async () =>
            {
                if (i % 2 == 0)
                {
                    Answer answer = await Answer.OfAsync(session, prompts[i], NewTokens);
                    Assert.Equal(expected[i].Ids, answer.Ids);
                    Assert.Equal(expected[i].Logprobs, answer.Logprobs);
                    return;
                }

                using var cancel = new CancellationTokenSource();
                if (afterTime) cancel.CancelAfter(point * 4);
                int numTokens = 0;
                var cancelled = await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
                {
                    await foreach (GenerationUpdate update in session.GenerateAsync(prompts[i], Answer.Greedy(128 - prompts[i].Length), cancel.Token))
                    {
                        numTokens += update.TokenIds.Count;
                        if (!afterTime && numTokens >= point) await cancel.CancelAsync();
                    }
                });
                Assert.Equal(cancel.Token, cancelled.CancellationToken);
                Interlocked.Increment(ref numCancelled);
            });
        }));

        Assert.Equal(32, numCancelled);
        await AssertIdleAsync(session);
    }

    [Fact]
    public async Task A_reader_that_leaves_early_frees_its_request()
    {
        await using InferenceSession session = await InferenceSession.LoadAsync(RepositoryPaths.TinyLlama, Options);
        for (int round = 0; round < 10; round++)
        {
            await foreach (GenerationUpdate update in session.GenerateAsync("Gets or sets the", new GenerationOptions { IgnoreEos = true }))
            {
                Assert.True(session.Statistics.KvCacheBlocksUsed > 0);
                break;
            }
        }

        await AssertIdleAsync(session);
        Assert.Equal((0L, 10L), (session.Statistics.FinishedRequests, session.Statistics.CancelledRequests));
    }

    [Fact]
    public async Task A_caller_that_never_reads_does_not_hold_up_the_others()
    {
        await using InferenceSession session = await InferenceSession.LoadAsync(RepositoryPaths.TinyLlama, Options);
        await using IAsyncEnumerator<GenerationUpdate> idle = session.GenerateAsync(new[] { 5, 6 }, Answer.Greedy(60)).GetAsyncEnumerator();
        Assert.True(await idle.MoveNextAsync());
        Answer[] answers = await Answer.OfAllAsync(session, [[1, 2], [3, 4]], NewTokens);
        Assert.All(answers, answer => Assert.Equal(NewTokens, answer.Ids.Length));

        int numTokens = idle.Current.TokenIds.Count;
        while (await idle.MoveNextAsync()) numTokens += idle.Current.TokenIds.Count;
        Assert.Equal(60, numTokens);
    }

    [Fact]
    public async Task Disposing_ends_every_stream_with_the_same_kind_of_error_and_no_caller_hangs()
    {
        InferenceSession session = await InferenceSession.LoadAsync(RepositoryPaths.TinyLlama, Options);
        int numStarted = 0;
        var allStarted = new TaskCompletionSource();
        Task[] readers = [.. Enumerable.Range(0, 24).Select(i => Task.Run(async () =>
        {
            bool isFirst = true;
            await foreach (GenerationUpdate update in session.GenerateAsync(new[] { 5 + i }, Answer.Greedy(127)))
            {
                if (isFirst && Interlocked.Increment(ref numStarted) == 24) allStarted.SetResult();
                isFirst = false;
                await allStarted.Task;
            }
        }))];
        await allStarted.Task.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
        Task[] disposals = [.. Enumerable.Range(0, 4).Select(_ => Task.Run(() => session.DisposeAsync().AsTask()))];
        await Task.WhenAll(disposals).WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);

        // Requests that had ended before come to their end; the engine may be that fast.
        foreach (Task reader in readers)
        {
            Exception? error = await Record.ExceptionAsync(() => reader.WaitAsync(TimeSpan.FromSeconds(20)));
            if (error is not null) Assert.IsType<ObjectDisposedException>(error);
        }

        Assert.Contains(readers, reader => reader.IsFaulted);
        Assert.Equal(SessionState.Disposed, session.State);
        Assert.Throws<ObjectDisposedException>(() => session.GenerateAsync("abc"));
        Assert.Throws<ObjectDisposedException>(() => session.Model);
        session.Dispose();
    }

    private static async Task AssertIdleAsync(InferenceSession session)
    {
        // Taking a request out is done by the engine, between two steps.
        for (int wait = 0; wait < 500 && session.Statistics is not { KvCacheBlocksUsed: 0, RunningRequests: 0, WaitingRequests: 0 }; wait++) await Task.Delay(10);
        Assert.Equal(
            (0, 0, 0), (session.Statistics.KvCacheBlocksUsed, session.Statistics.RunningRequests, session.Statistics.WaitingRequests));
    }
}
