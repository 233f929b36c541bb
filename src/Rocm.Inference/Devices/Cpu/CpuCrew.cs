using System.Diagnostics;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace Rocm.Inference.Devices.Cpu;

/// <summary>
/// The worker threads of a CPU device: the calling thread and <see cref="NumThreads"/> − 1 background threads run the same job, each with
/// its index. A job is a static function over an unmanaged argument struct on the caller's stack, so that running one allocates nothing.
/// Workers spin for a few tens of microseconds after a job, because the next layer's job follows at once, then block.
/// One job runs at a time; callers on several threads take turns (<see cref="Enter"/>).
/// </summary>
internal sealed unsafe class CpuCrew : IDisposable
{
    private const int SpinMicroseconds = 40;
    private const int BarrierSpins = 4000;
    private readonly Lock _turn = new();
    private readonly object _gate = new();
    private readonly Thread[] _threads;
    private readonly CpuScratch[] _scratch;
    private readonly CpuScratch _shared = new();
    private readonly long _spinTicks;
    private delegate*<CpuCrew, int, void*, void> _body;
    private void* _arguments;
    private ExceptionDispatchInfo? _failure;
    private PaddedCounters _counters;
    private bool _stop;

    public CpuCrew(int numThreads)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(numThreads);
        NumThreads = numThreads;

        // With more threads than processors a spinning worker holds up the one it waits for.
        _spinTicks = numThreads <= Environment.ProcessorCount ? SpinMicroseconds * Stopwatch.Frequency / 1_000_000 : 0;
        _scratch = new CpuScratch[numThreads];
        for (int i = 0; i < numThreads; i++) _scratch[i] = new CpuScratch();
        _threads = new Thread[numThreads - 1];
        for (int i = 0; i < _threads.Length; i++)
        {
            int worker = i + 1;
            _threads[i] = new Thread(() => Work(worker)) { IsBackground = true, Name = $"Rocm.Inference cpu {worker}" };
            _threads[i].Start();
        }
    }

    /// <summary>Threads that run a job, the caller included.</summary>
    public int NumThreads { get; }

    /// <summary>Takes the crew for one or more jobs that share scratch memory. Re-entrant; dispose to give it back.</summary>
    public Lock.Scope Enter() => _turn.EnterScope();

    /// <summary>Memory that a job's threads share, grown to the size asked for; the content is undefined. Only while the crew is taken.</summary>
    public void* SharedScratch(long sizeBytes) => _shared.Reserve(sizeBytes);

    /// <summary>Makes sure that every thread has this much scratch of its own. Only while the crew is taken, outside of a job.</summary>
    public void ReserveScratch(long sizeBytes)
    {
        foreach (CpuScratch scratch in _scratch) scratch.Reserve(sizeBytes);
    }

    /// <summary>Scratch of one thread, as large as last reserved.</summary>
    public void* Scratch(int worker) => _scratch[worker].Address;

    /// <summary>Threads that run the current job. Inside a job only.</summary>
    public int ActiveThreads { get; private set; }

    /// <summary>Runs a job on every thread and returns when all are done. The first exception of any thread is thrown here.</summary>
    /// <param name="body">Takes the crew, the index of the thread in [0, <see cref="ActiveThreads"/>) and the arguments.</param>
    /// <param name="arguments">On the caller's stack.</param>
    /// <param name="alone">True to run on the calling thread only: work that is too small to share.</param>
    public void Run<T>(delegate*<CpuCrew, int, T*, void> body, T* arguments, bool alone = false)
        where T : unmanaged
    {
        using Lock.Scope turn = Enter();
        ObjectDisposedException.ThrowIf(_stop, this);
        _counters.Next = 0;
        ActiveThreads = alone ? 1 : NumThreads;
        if (ActiveThreads == 1)
        {
            body(this, 0, arguments);
            return;
        }

        _body = (delegate*<CpuCrew, int, void*, void>)(void*)body;
        _arguments = arguments;
        _failure = null;
        _counters.Arrived = 0;
        Volatile.Write(ref _counters.Running, NumThreads - 1);

        // Full fence: the sleepers that are read next had either seen this epoch or are counted.
        Interlocked.Increment(ref _counters.Epoch);
        if (Volatile.Read(ref _counters.Sleeping) != 0)
        {
            lock (_gate) Monitor.PulseAll(_gate);
        }

        Execute(0);
        WaitForWorkers();
        _failure?.Throw();
    }

    /// <summary>Inside a job: waits until every thread has come here.</summary>
    public void Barrier()
    {
        if (ActiveThreads == 1) return;
        int phase = Volatile.Read(ref _counters.Phase);
        if (Interlocked.Increment(ref _counters.Arrived) == ActiveThreads)
        {
            Volatile.Write(ref _counters.Arrived, 0);
            Interlocked.Increment(ref _counters.Phase);
            return;
        }

        for (int spin = 0; Volatile.Read(ref _counters.Phase) == phase; spin++)
        {
            if (Volatile.Read(ref _failure) is not null) throw new OperationCanceledException("Another thread of the job failed.");
            if (spin < BarrierSpins && _spinTicks != 0) Thread.SpinWait(1);
            else Thread.Yield();
        }
    }

    /// <summary>Inside a job: claims the next <paramref name="count"/> work items and returns the first; counts from 0 in every job.</summary>
    public int Claim(int count = 1) => Interlocked.Add(ref _counters.Next, count) - count;

    public void Dispose()
    {
        using (Enter())
        {
            if (_stop) return;
            _stop = true;
            Interlocked.Increment(ref _counters.Epoch);
            lock (_gate) Monitor.PulseAll(_gate);
        }

        foreach (Thread thread in _threads) thread.Join();
        foreach (CpuScratch scratch in _scratch) scratch.Dispose();
        _shared.Dispose();
    }

    private void Work(int worker)
    {
        int seen = 0;
        while (true)
        {
            WaitForJob(seen);
            seen++;
            if (_stop) return;
            Execute(worker);
            if (Interlocked.Decrement(ref _counters.Running) == 0 && Volatile.Read(ref _counters.CallerSleeps))
            {
                lock (_gate) Monitor.PulseAll(_gate);
            }
        }
    }

    private void Execute(int worker)
    {
        try
        {
            _body(this, worker, _arguments);
        }
#pragma warning disable CA1031 // Whatever a job throws belongs to the caller of Run.
        catch (Exception e)
#pragma warning restore CA1031
        {
            Interlocked.CompareExchange(ref _failure, ExceptionDispatchInfo.Capture(e), null);
        }
    }

    private void WaitForJob(int seen)
    {
        long start = Stopwatch.GetTimestamp();
        while (Volatile.Read(ref _counters.Epoch) == seen)
        {
            if (Stopwatch.GetTimestamp() - start < _spinTicks)
            {
                Thread.SpinWait(1);
                continue;
            }

            lock (_gate)
            {
                Interlocked.Increment(ref _counters.Sleeping);
                while (Volatile.Read(ref _counters.Epoch) == seen) Monitor.Wait(_gate);
                Interlocked.Decrement(ref _counters.Sleeping);
            }
        }
    }

    private void WaitForWorkers()
    {
        long start = Stopwatch.GetTimestamp();
        while (Volatile.Read(ref _counters.Running) != 0)
        {
            if (Stopwatch.GetTimestamp() - start < _spinTicks)
            {
                Thread.SpinWait(1);
                continue;
            }

            lock (_gate)
            {
                _counters.CallerSleeps = true;
                Interlocked.MemoryBarrier();
                while (Volatile.Read(ref _counters.Running) != 0) Monitor.Wait(_gate);
                _counters.CallerSleeps = false;
            }
        }
    }

    /// <summary>What threads write, each on a cache line of its own.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 448)]
    private struct PaddedCounters
    {
        [FieldOffset(64)]
        public int Epoch;

        [FieldOffset(128)]
        public int Running;

        [FieldOffset(192)]
        public int Sleeping;

        [FieldOffset(196)]
        public bool CallerSleeps;

        [FieldOffset(256)]
        public int Arrived;

        [FieldOffset(320)]
        public int Phase;

        [FieldOffset(384)]
        public int Next;
    }
}
