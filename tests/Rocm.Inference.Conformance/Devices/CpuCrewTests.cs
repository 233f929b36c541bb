using Rocm.Inference.Devices.Cpu;
using Xunit;

namespace Rocm.Inference.Conformance.Devices;

public sealed unsafe class CpuCrewTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public void Every_thread_runs_every_job_once_also_after_a_pause(int threads)
    {
        using var crew = new CpuCrew(threads);
        for (int i = 0; i < 300; i++)
        {
            var job = new Job();
            crew.Run(&Count, &job);
            Assert.Equal(threads, job.Runs);
            Assert.Equal((1 << threads) - 1, job.Workers);
            if (i % 100 == 0) Thread.Sleep(5);
        }
    }

    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    public void Items_are_claimed_once_and_a_barrier_separates_phases(int threads)
    {
        using var crew = new CpuCrew(threads);
        for (int i = 0; i < 200; i++)
        {
            var job = new Job();
            crew.Run(&TwoPhases, &job);
            Assert.Equal(1000, job.Runs);
            Assert.Equal(0, job.Early);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void An_exception_of_any_thread_reaches_the_caller_and_the_crew_lives_on(int failing)
    {
        using var crew = new CpuCrew(3);
        var job = new Job { Failing = failing };
        var exception = Assert.Throws<InvalidOperationException>(() => RunFailing(crew, failing));
        Assert.Equal("worker " + failing, exception.Message);
        crew.Run(&Count, &job);
        Assert.Equal(3, job.Runs);
    }

    [Fact]
    public void Running_a_job_allocates_nothing()
    {
        using var crew = new CpuCrew(2);
        var job = new Job();
        crew.Run(&Count, &job);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++) crew.Run(&Count, &job);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void Callers_on_several_threads_take_turns()
    {
        using var crew = new CpuCrew(2);
        int wrong = 0;
        Thread[] callers = [.. Enumerable.Range(0, 4).Select(_ => new Thread(() =>
        {
            for (int i = 0; i < 200; i++)
            {
                var job = new Job();
                crew.Run(&TwoPhases, &job);
                if (job.Runs != 1000 || job.Early != 0) Interlocked.Increment(ref wrong);
            }
        }))];
        foreach (Thread caller in callers) caller.Start();
        foreach (Thread caller in callers) caller.Join();
        Assert.Equal(0, wrong);
    }

    [Fact]
    public void A_job_after_disposal_is_refused()
    {
        var crew = new CpuCrew(2);
        crew.Dispose();
        crew.Dispose();
        Assert.Throws<ObjectDisposedException>(() => RunFailing(crew, 0));
    }

    private static void RunFailing(CpuCrew crew, int failing)
    {
        var job = new Job { Failing = failing };
        crew.Run(&Fail, &job);
    }

    private static void Count(CpuCrew crew, int worker, Job* job)
    {
        Interlocked.Increment(ref job->Runs);
        Interlocked.Or(ref job->Workers, 1 << worker);
    }

    private static void TwoPhases(CpuCrew crew, int worker, Job* job)
    {
        int item = crew.Claim();
        for (; item < 500; item = crew.Claim()) Interlocked.Increment(ref job->Runs);
        crew.Barrier();
        if (Volatile.Read(ref job->Runs) < 500) Interlocked.Increment(ref job->Early);
        for (; item < 1000; item = crew.Claim()) Interlocked.Increment(ref job->Runs);
    }

    // The others wait for the one that fails: they must be let go.
    private static void Fail(CpuCrew crew, int worker, Job* job)
    {
        if (worker == job->Failing) throw new InvalidOperationException("worker " + worker);
        crew.Barrier();
    }

    private struct Job
    {
        public int Runs;
        public int Workers;
        public int Early;
        public int Failing;
    }
}
