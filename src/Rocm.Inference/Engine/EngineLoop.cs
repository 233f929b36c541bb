using System.Diagnostics;
using System.Threading.Channels;
using Rocm.Inference.KvCache;
using Rocm.Inference.Sampling;
using Rocm.Inference.Scheduling;

namespace Rocm.Inference.Engine;

/// <summary>
/// The engine's thread: takes commands, schedules, executes, samples, streams. Everything it touches is its own, but for streams and
/// counters. A step of steady decoding allocates nothing.
/// </summary>
internal sealed class EngineLoop
{
    private readonly IModelExecutor _executor;
    private readonly ChannelReader<EngineCommand> _commands;
    private readonly SessionDiagnostics _diagnostics;
    private readonly Scheduler _scheduler;
    private readonly SamplingBatch _sampling = new();
    private readonly List<EngineRequest> _live = [];
    private int[] _sampledIds = [];
    private bool[] _ends = [];
    private volatile bool _stopRequested;
    private volatile Exception? _fault;

    public EngineLoop(IModelExecutor executor, SchedulerOptions options, ChannelReader<EngineCommand> commands, SessionDiagnostics diagnostics)
    {
        _executor = executor;
        _commands = commands;
        _diagnostics = diagnostics;
        _scheduler = new Scheduler(options, new KvCacheManager(executor.NumBlocks, executor.Groups));
        Counters = new EngineCounters { NumUsableBlocks = _scheduler.Cache.Pool.NumUsableBlocks };
    }

    public EngineCounters Counters { get; }

    public int MaxTokensPerRequest => _scheduler.MaxTokensPerRequest;

    public Exception? Fault => _fault;

    public void RequestStop() => _stopRequested = true;

    /// <summary>Why nothing can be submitted any more: a new exception for each who asks, with the shared cause inside.</summary>
    public Exception EndError() => _fault is Exception fault
        ? new RocmInferenceException($"The engine has failed and answers no more: {fault.Message} Dispose the session and load another.", fault)
        : new ObjectDisposedException(nameof(InferenceSession));

    /// <summary>Body of the thread: returns when stopped or broken, with every request ended and the executor disposed.</summary>
    /// <param name="writer">Completed at the end, so that nothing more is queued.</param>
    public void Run(ChannelWriter<EngineCommand> writer)
    {
        try
        {
            while (WaitForWork())
            {
                TakeCommands();
                if (_scheduler.HasWork && !_stopRequested) Step();
            }
        }
        catch (Exception exception)
        {
            // Whatever it was, the state of the executor is unknown: nothing is tried again on it.
            _fault = exception;
        }

        // Readers first: nothing that the host's loggers or the executor do can keep them waiting.
        writer.TryComplete();
        EndAll();
        if (_fault is Exception fault) Attempt(() => _diagnostics.Faulted(fault));
        Attempt(() => _diagnostics.QueuesChanged(0, 0, 0));
        if (Attempt(_executor.Dispose) is Exception failure) Attempt(() => _diagnostics.DisposeFailed(failure));
    }

    /// <summary>Runs what must not break the end of the thread, which would end the process.</summary>
    private static Exception? Attempt(Action action)
    {
        try
        {
            action();
            return null;
        }
        catch (Exception exception)
        {
            return exception;
        }
    }

    private bool WaitForWork()
    {
        if (_stopRequested) return false;
        if (_scheduler.HasWork) return true;
        UpdateCounters();
        ValueTask<bool> wait = _commands.WaitToReadAsync();
        return wait.IsCompleted ? wait.Result : wait.AsTask().GetAwaiter().GetResult();
    }

    private void TakeCommands()
    {
        while (_commands.TryRead(out EngineCommand command))
        {
            if (command.Kind == EngineCommandKind.Add) Add(command.Request);
            else Abort(command.Request);
        }
    }

    private void Add(EngineRequest request)
    {
        // Cancelled while it was on its way; the abort that follows finds nothing.
        if (request.Stream.IsEnded)
        {
            Counters.AddCancelled();
            return;
        }

        try
        {
            _scheduler.Add(request.Request);
        }
        catch (RocmInferenceException exception)
        {
            request.Stream.Fail(exception);
            return;
        }

        request.LiveIndex = _live.Count;
        _live.Add(request);
        Counters.AddPrompt(request.Request.PromptLen);
        UpdateCounters();
    }

    private void Abort(EngineRequest request)
    {
        if (request.LiveIndex < 0) return;
        _scheduler.Abort(request.Request);
        RemoveLive(request);
        Counters.AddCancelled();
        _diagnostics.RequestCancelled(request);
        UpdateCounters();
    }

    private void Step()
    {
        long start = Stopwatch.GetTimestamp();
        ScheduledStep step = _scheduler.Schedule();
        if (step.IsEmpty) throw new InvalidOperationException($"{_scheduler.NumWaiting} requests wait, nothing runs, and nothing can be admitted.");
        foreach (Request request in step.Admitted) ((EngineRequest)request.State!).MarkScheduled();
        foreach (Request request in step.Preempted) _diagnostics.Preempted(request);
        UpdateCounters();

        SamplingBatchBuilder.Build(_sampling, step.Rows);
        _executor.Execute(step, _sampling);
        int numSampled = TakeSampled(step);
        _scheduler.Complete(step, _sampledIds.AsSpan(0, step.Rows.Length), _ends.AsSpan(0, step.Rows.Length));
        Counters.AddStep(numSampled);
        FinishEnded(step);
        UpdateCounters();
        _diagnostics.StepDone(step, numSampled, Stopwatch.GetElapsedTime(start));
    }

    private int TakeSampled(ScheduledStep step)
    {
        ReadOnlySpan<ScheduledRow> rows = step.Rows;
        if (_sampledIds.Length < rows.Length)
        {
            _sampledIds = new int[rows.Length];
            _ends = new bool[rows.Length];
        }

        int index = 0;
        for (int i = 0; i < rows.Length; i++)
        {
            _ends[i] = false;
            if (!rows[i].SamplesToken) continue;
            var request = (EngineRequest)rows[i].Request.State!;
            ReadOnlySpan<TokenLogprobEntry> top = _sampling.TopLogprobs.AsSpan(index * _sampling.MaxTopLogprobs, _sampling.MaxTopLogprobs);
            _sampledIds[i] = _sampling.SampledIds[index];
            request.Take(_sampledIds[i], _sampling.SampledLogprobs[index], top);
            _ends[i] = request.Ending is not null;
            index++;
        }

        return index;
    }

    /// <summary>Tells the readers last: who has seen the end of a stream finds its blocks free and its numbers counted.</summary>
    private void FinishEnded(ScheduledStep step)
    {
        foreach (Request finished in step.Finished)
        {
            var request = (EngineRequest)finished.State!;
            RemoveLive(request);
            Counters.AddFinished();
        }

        if (step.Finished.Length > 0) UpdateCounters();
        foreach (Request finished in step.Finished)
        {
            var request = (EngineRequest)finished.State!;
            request.Finish();
            _diagnostics.RequestFinished(request);
        }
    }

    private void EndAll()
    {
        while (_commands.TryRead(out EngineCommand command))
        {
            if (command.Kind == EngineCommandKind.Add) command.Request.Stream.Fail(EndError());
        }

        foreach (EngineRequest request in _live) request.Stream.Fail(EndError());
        _live.Clear();
        Counters.SetQueues(0, 0, 0);
    }

    private void RemoveLive(EngineRequest request)
    {
        EngineRequest last = _live[^1];
        _live[request.LiveIndex] = last;
        last.LiveIndex = request.LiveIndex;
        _live.RemoveAt(_live.Count - 1);
        request.LiveIndex = -1;
    }

    private void UpdateCounters()
    {
        KvCacheManager cache = _scheduler.Cache;
        Counters.SetQueues(_scheduler.NumRunning, _scheduler.NumWaiting, cache.Pool.NumUsedBlocks);
        Counters.SetTotals(cache.Statistics.NumQueriedTokens, cache.Statistics.NumHitTokens, _scheduler.NumPreemptions);
        _diagnostics.QueuesChanged(_scheduler.NumRunning, _scheduler.NumWaiting, cache.Usage);
        _diagnostics.PrefixLooked(cache.Statistics.NumQueriedTokens, cache.Statistics.NumHitTokens);
    }
}
