using System.Diagnostics;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Golden.Session;

/// <summary>What sessions cost and give back: memory, threads, handles, time.</summary>
[Collection(WholeProcess.Name)]
public sealed class SessionResourceTests(LargeModel model) : IClassFixture<LargeModel>
{
    private const long Mega = 1_000_000;

    // The C heap keeps some 20 MB for later, however often it goes round; 30 sessions that stay behind hold 160 MB in their weights alone.
    private const long Slack = 40 * Mega;

    private static InferenceSessionOptions Options => new() { Device = DevicePreference.Cpu, NumThreads = 3, MaxModelLen = 256 };

    [Fact]
    public async Task Thirty_loads_and_disposals_leave_memory_threads_and_handles_as_they_were()
    {
        ProcessState.SkipUnlessLinux();
        for (int i = 0; i < 5; i++) await LoadAndGenerateAsync();
        (long bytes, int handles) = (ProcessState.AnonymousBytes, ProcessState.OpenHandles);
        for (int i = 0; i < 30; i++) await LoadAndGenerateAsync();

        Assert.InRange(ProcessState.AnonymousBytes - bytes, long.MinValue, Slack);
        Assert.InRange(ProcessState.OpenHandles - handles, int.MinValue, 3);
        await ProcessState.AssertNoSessionThreadsAsync();

        static async Task LoadAndGenerateAsync()
        {
            await using InferenceSession session = await InferenceSession.LoadAsync(RepositoryPaths.TinyLlama, Options);
            await session.CompleteAsync("Gets or sets the", Answer.Greedy(3));

            // Only now: a thread takes its name, by which it is counted, some time after it was started.
            Assert.True(ProcessState.SessionThreads >= 3, "the engine and two workers should run");
        }
    }

    [Fact]
    public async Task Thirty_failed_loads_leave_memory_threads_and_handles_as_they_were()
    {
        ProcessState.SkipUnlessLinux();
        using SessionFolder folder = SessionFolder.Golden("gemma3", shards: 2);
        Damage.Truncate(folder, "model-00002-of-00002.safetensors", 0.9);
        for (int i = 0; i < 5; i++) await FailAsync();
        (long bytes, int handles) = (ProcessState.AnonymousBytes, ProcessState.OpenHandles);
        for (int i = 0; i < 30; i++) await FailAsync();

        Assert.InRange(ProcessState.AnonymousBytes - bytes, long.MinValue, Slack);
        Assert.InRange(ProcessState.OpenHandles - handles, int.MinValue, 3);
        await ProcessState.AssertNoSessionThreadsAsync();

        async Task FailAsync()
        {
            await Assert.ThrowsAsync<ModelLoadException>(() => InferenceSession.LoadAsync(folder.Path, Options));
            using var cancel = new CancellationTokenSource();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(
                () => InferenceSession.LoadAsync(RepositoryPaths.TinyLlama, Options, new CancelAtEngine(cancel), cancel.Token));
        }
    }

    [Fact]
    public async Task Eight_requests_at_once_cost_well_under_eight_times_as_much_as_one()
    {
        await using InferenceSession session = await InferenceSession.LoadAsync(
            model.Path, new InferenceSessionOptions { Device = DevicePreference.Cpu, NumThreads = 1, MaxModelLen = 64, EnablePrefixCaching = false });
        int[][] prompts = Answer.RandomPrompts(new TestRandom(8), 8, session.Model.VocabSize, 4);
        await CostAsync(prompts);

        // Processor time of one worker, which other processes of a busy machine do not change much, and the best of some rounds.
        double one = double.MaxValue, eight = double.MaxValue;
        for (int round = 0; round < 3; round++)
        {
            one = Math.Min(one, await CostAsync(prompts[..1]));
            eight = Math.Min(eight, await CostAsync(prompts));
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"one {one:0.0} ms, eight {eight:0.0} ms: {eight / one:0.00} times");
        Assert.InRange(eight / one, 0, 5);

        async Task<double> CostAsync(int[][] asked)
        {
            using var process = Process.GetCurrentProcess();
            TimeSpan start = process.TotalProcessorTime;
            await Answer.OfAllAsync(session, asked, 12);
            process.Refresh();
            return (process.TotalProcessorTime - start).TotalMilliseconds;
        }
    }

    [Fact]
    public async Task Anonymous_memory_is_the_weights_and_the_cache_and_little_more()
    {
        ProcessState.SkipUnlessLinux();
        await using (InferenceSession warm = await InferenceSession.LoadAsync(RepositoryPaths.TinyLlama, Options)) await warm.CompleteAsync("a", Answer.Greedy(2));
        long before = ProcessState.AnonymousBytes;

        InferenceSessionOptions options = Options;
        options.MaxNumRequests = 4;
        await using (InferenceSession session = await InferenceSession.LoadAsync(model.Path, options))
        {
            await session.CompleteAsync(Enumerable.Range(0, 200).ToArray(), Answer.Greedy(8));
            long held = ProcessState.AnonymousBytes - before;
            TestContext.Current.TestOutputHelper?.WriteLine(
                $"file {model.WeightBytes / Mega} MB, weights {session.Model.WeightBytes / Mega} MB, cache {session.Model.KvCacheBytes / Mega} MB, held {held / Mega} MB");
            Assert.InRange(session.Model.WeightBytes, model.WeightBytes * 9 / 10, model.WeightBytes * 11 / 10);
            Assert.InRange(held, 0, session.Model.WeightBytes + session.Model.KvCacheBytes + (48 * Mega));
        }

        Assert.InRange(ProcessState.AnonymousBytes - before, long.MinValue, 16 * Mega);
    }

    private sealed class CancelAtEngine(CancellationTokenSource cancel) : IProgress<ModelLoadProgress>
    {
        public void Report(ModelLoadProgress value)
        {
            if (value.Phase == ModelLoadPhase.Engine) cancel.Cancel();
        }
    }
}
