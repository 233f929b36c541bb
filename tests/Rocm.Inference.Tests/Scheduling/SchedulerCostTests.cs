using System.Diagnostics;
using Rocm.Inference.KvCache;
using Rocm.Inference.Scheduling;
using Xunit;

namespace Rocm.Inference.Tests.Scheduling;

public sealed class SchedulerCostTests(ITestOutputHelper output)
{
    private const int NumRequests = 256;

    [Fact]
    public void Steady_decode_allocates_nothing()
    {
        (Scheduler scheduler, int[] tokens, bool[] ends) = Decoding();
        for (int i = 0; i < 20; i++) scheduler.Complete(scheduler.Schedule(), tokens, ends);

        // 100 steps cross six block boundaries per request: allocation, hashing, caching and window expiry are all in here.
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++) scheduler.Complete(scheduler.Schedule(), tokens, ends);
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        Assert.Equal(0, allocated);
        scheduler.CheckIntegrity();
    }

    [Fact]
    public async Task A_step_of_256_decoding_requests_is_decided_quickly()
    {
        (Scheduler scheduler, int[] tokens, bool[] ends) = Decoding();

        // The compiler's optimized code comes in the background, a little after a method has become hot.
        for (int round = 0; round < 4; round++)
        {
            for (int i = 0; i < 100; i++) scheduler.Complete(scheduler.Schedule(), tokens, ends);
            await Task.Delay(150, TestContext.Current.CancellationToken);
        }

        var schedule = new List<double>();
        var complete = new List<double>();
        for (int i = 0; i < 400; i++)
        {
            long start = Stopwatch.GetTimestamp();
            ScheduledStep step = scheduler.Schedule();
            long middle = Stopwatch.GetTimestamp();
            scheduler.Complete(step, tokens, ends);
            schedule.Add(Stopwatch.GetElapsedTime(start, middle).TotalMicroseconds);
            complete.Add(Stopwatch.GetElapsedTime(middle).TotalMicroseconds);
        }

        scheduler.CheckIntegrity();
        schedule.Sort();
        complete.Sort();
        output.WriteLine($"Schedule: median {schedule[200]:F1} us, p90 {schedule[360]:F1} us; Complete: median {complete[200]:F1} us, p90 {complete[360]:F1} us");

        // A Release build on an idle machine takes a small fraction of this; the room is for Debug builds and busy machines.
        Assert.True(schedule[200] < 1000, $"The median of Schedule is {schedule[200]} us.");
    }

    /// <summary>256 requests of two layer groups, one with a window, prefilled and decoding; their prompts differ in length.</summary>
    private static (Scheduler Scheduler, int[] Tokens, bool[] Ends) Decoding()
    {
        var cache = new KvCacheManager(60_000, [new KvCacheGroup(0, 16), new KvCacheGroup(1, 16, 64)]);
        var options = new SchedulerOptions { MaxNumBatchedTokens = 1 << 20, MaxNumRequests = NumRequests, MaxModelLen = 4096 };
        var scheduler = new Scheduler(options, cache);
        for (int i = 0; i < NumRequests; i++)
        {
            scheduler.Add(new Request($"r{i}", [.. Enumerable.Range(i, 200 + i)], 2000));
        }

        var tokens = new int[NumRequests];
        var ends = new bool[NumRequests];
        scheduler.Complete(scheduler.Schedule(), tokens, ends);
        Assert.Equal(NumRequests, scheduler.NumRunning);
        return (scheduler, tokens, ends);
    }
}
