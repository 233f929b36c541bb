using System.Runtime.InteropServices;
using Rocm.Inference.KvCache;

namespace Rocm.Inference.Scheduling;

/// <summary>
/// Decides which requests run in a step and with how many tokens: one budget for prefill and decode together, running requests first,
/// chunked prefill, preemption by release and recompute. Not thread safe: it belongs to the engine's loop.
/// </summary>
/// <remarks>
/// Running and waiting requests are kept in one order, by priority and then arrival. The victim of a preemption is the last running
/// request, never one that this step has scheduled already; and the first of all requests is never a victim while another runs, so it
/// always gets on, and after it the next: no two requests can preempt one another for ever.
/// </remarks>
internal sealed class Scheduler
{
    private readonly SchedulerOptions _options;
    private readonly KvCacheManager _cache;
    private readonly int _maxStepTokens;
    private readonly int _maxCacheTokens;
    private readonly int _watermarkBlocks;
    private readonly List<Request> _running = [];
    private readonly RequestQueue _waiting = new();
    private readonly ScheduledStep _step = new();
    private long _nextArrival;
    private bool _stepInFlight;

    public Scheduler(SchedulerOptions options, KvCacheManager cache)
    {
        options.Validate();
        _options = options;
        _cache = cache;
        _maxStepTokens = options.MaxStepTokens + options.NumLookaheadTokens;
        _maxCacheTokens = cache.MaxTokensPossible(_maxStepTokens) - options.NumLookaheadTokens;
        _watermarkBlocks = (int)Math.Ceiling(options.Watermark * cache.Pool.NumUsableBlocks);
    }

    public SchedulerOptions Options => _options;

    public KvCacheManager Cache => _cache;

    public int NumRunning => _running.Count;

    public int NumWaiting => _waiting.Count;

    public bool HasWork => _running.Count > 0 || _waiting.Count > 0;

    /// <summary>Preemptions since the start.</summary>
    public long NumPreemptions { get; private set; }

    /// <summary>
    /// Most tokens, prompt and output, that one request can have: the model's length or what the cache holds, whichever is less. An engine
    /// caps the output of requests that did not ask for a length by this.
    /// </summary>
    public int MaxTokensPerRequest => (int)Math.Min(_options.MaxModelLen, _maxCacheTokens + 1L);

    /// <summary>Queues a request.</summary>
    /// <exception cref="ArgumentException">The request was added before, or its prompt leaves no room for output within the model's length.</exception>
    /// <exception cref="KvCacheCapacityException">The request can never fit into the cache, not even alone. It is not queued.</exception>
    public void Add(Request request)
    {
        if (request.Blocks is not null) throw new ArgumentException($"Request {request.Id} was added before.", nameof(request));
        if (request.PromptLen >= _options.MaxModelLen)
        {
            throw new ArgumentException(
                $"Expected a prompt shorter than {_options.MaxModelLen} tokens, found {request.PromptLen} in request {request.Id}.", nameof(request));
        }

        request.MaxTokens = Math.Min(request.MaxTokens, _options.MaxModelLen);

        // The last token is only given out, never computed.
        int needed = request.MaxTokens - 1;
        if (needed > _maxCacheTokens) throw new KvCacheCapacityException(needed, _maxCacheTokens);
        request.Blocks = _cache.CreateRequest(request.CacheSalt, request.SkipsCacheReads, request.TokenCapacity + _options.NumLookaheadTokens);
        request.ArrivalSequence = _nextArrival++;
        _waiting.Push(request);
    }

    /// <summary>
    /// Ends a request now. Blocks that a step in flight uses come back with its <see cref="Complete"/>. False when it had ended already.
    /// </summary>
    public bool Abort(Request request)
    {
        if (request.IsFinished || request.Blocks is null) return false;
        bool wasRunning = request.Status == RequestStatus.Running;
        request.Status = RequestStatus.Finished;
        if (request.IsInFlight) return true;
        if (wasRunning) _running.Remove(request);
        else _waiting.Remove(request);
        _cache.Free(request.Blocks);
        return true;
    }

    /// <summary>Decides the next step. The result is reused by the next call, and must be completed or discarded before it unless it is empty.</summary>
    public ScheduledStep Schedule()
    {
        if (_stepInFlight) throw new InvalidOperationException("The step before has been neither completed nor discarded.");
        _step.Begin();
        int budget = ScheduleRunning(_options.MaxNumBatchedTokens);

        // Who was just preempted must not be overtaken, and what was freed for a running request must not be given away.
        if (_step.Preempted.IsEmpty) AdmitWaiting(budget);
        _stepInFlight = !_step.IsEmpty;
        return _step;
    }

    /// <summary>Takes the results of a step after the device has run it: caches full blocks, appends sampled tokens, ends requests.</summary>
    /// <param name="step">The step in flight.</param>
    /// <param name="sampledTokens">One per row; ignored for rows that do not sample.</param>
    /// <param name="ends">One per row: true to end the request, after its token if it samples one. Requests at their length end by themselves.</param>
    public void Complete(ScheduledStep step, ReadOnlySpan<int> sampledTokens, ReadOnlySpan<bool> ends)
    {
        ReadOnlySpan<ScheduledRow> rows = step.Rows;
        if (sampledTokens.Length != rows.Length || ends.Length != rows.Length)
        {
            throw new ArgumentException($"Expected {rows.Length} tokens and ends, found {sampledTokens.Length} and {ends.Length}.");
        }

        TakeBack(step);
        bool anyLeaves = false;
        for (int i = 0; i < rows.Length; i++)
        {
            Request request = rows[i].Request;
            request.IsInFlight = false;
            if (_options.EnablePrefixCaching) _cache.CacheComputed(request.Blocks, request.Tokens[..rows[i].SeqLen]);
            if (!request.IsFinished)
            {
                if (rows[i].SamplesToken) request.Append(sampledTokens[i]);
                if (!ends[i] && request.NumTokens < request.MaxTokens) continue;
                request.Status = RequestStatus.Finished;
                step.AddFinished(request);
            }

            _cache.Free(request.Blocks);
            anyLeaves = true;
        }

        if (anyLeaves) RemoveFinished();
    }

    /// <summary>Drops a step that the device failed to run: ends the requests of its rows. Nothing of it is cached.</summary>
    public void Discard(ScheduledStep step)
    {
        TakeBack(step);
        foreach (ref readonly ScheduledRow row in step.Rows)
        {
            row.Request.IsInFlight = false;
            if (!row.Request.IsFinished) step.AddFinished(row.Request);
            row.Request.Status = RequestStatus.Finished;
            _cache.Free(row.Request.Blocks);
        }

        RemoveFinished();
    }

    /// <summary>Throws <see cref="InvalidOperationException"/> when queues, tables and tokens disagree. O(blocks): for tests and idle times.</summary>
    public void CheckIntegrity()
    {
        _cache.CheckIntegrity();
        SchedulerIntegrity.Check(_cache, _options, CollectionsMarshal.AsSpan(_running), _waiting.Requests, _stepInFlight);
    }

    private int ScheduleRunning(int budget)
    {
        for (int i = 0; i < _running.Count && budget > 0; i++)
        {
            Request request = _running[i];
            int queryLen = Math.Min(Math.Min(request.NumUncomputedTokens, _options.MaxStepTokens), budget);
            if (queryLen == 0) continue;
            if (!TryMakeRoom(request, queryLen)) break;
            AddRow(request, queryLen);
            budget -= queryLen;
        }

        return budget;
    }

    /// <summary>Preempts from the end of the running list until the request has its blocks; false when it had to be preempted itself.</summary>
    private bool TryMakeRoom(Request request, int queryLen)
    {
        while (!_cache.TryAllocate(request.Blocks, request.NumComputedTokens, queryLen, _options.NumLookaheadTokens))
        {
            Request victim = _running[^1];
            if (_running.Count == 1)
            {
                throw new InvalidOperationException($"Request {request.Id} runs alone and does not fit, although it was admitted.");
            }

            Preempt(victim);
            if (victim == request) return false;
        }

        return true;
    }

    private void Preempt(Request victim)
    {
        _cache.Free(victim.Blocks);
        _running.RemoveAt(_running.Count - 1);
        victim.NumComputedTokens = 0;
        victim.NumPreemptions++;
        victim.Status = RequestStatus.Preempted;
        _waiting.Push(victim);
        _step.AddPreempted(victim);
        NumPreemptions++;
    }

    private void AdmitWaiting(int budget)
    {
        while (_waiting.Count > 0 && budget > 0 && _running.Count < _options.MaxNumRequests)
        {
            Request request = _waiting.Peek();
            PrefixHit? hit = _options.EnablePrefixCaching ? _cache.FindPrefix(request.Blocks, request.Tokens) : null;
            int prefixLen = hit?.NumTokens ?? 0;
            int remaining = request.NumTokens - prefixLen;

            // Without pieces a prompt that does not fit stops admission, or later and shorter ones would starve it.
            if (!_options.EnableChunkedPrefill && remaining > budget) return;
            int queryLen = Math.Min(Math.Min(remaining, _options.MaxStepTokens), budget);
            var reserve = new AdmissionReserve(
                _options.ReserveFullPrompt ? request.NumTokens + _options.NumLookaheadTokens : 0,
                _maxStepTokens,
                _running.Count > 0 ? _watermarkBlocks : 0);
            if (!_cache.TryAdmit(request.Blocks, request.NumTokens, hit, queryLen, _options.NumLookaheadTokens, reserve)) return;

            _waiting.Pop();
            if (request.Status == RequestStatus.Waiting) request.NumCachedTokens = prefixLen;
            request.Status = RequestStatus.Running;
            request.NumComputedTokens = prefixLen;
            InsertRunning(request);
            _step.AddAdmitted(request);
            AddRow(request, queryLen);
            budget -= queryLen;
        }
    }

    private void InsertRunning(Request request)
    {
        int index = _running.Count;
        while (index > 0 && request.CompareTo(_running[index - 1]) < 0) index--;
        _running.Insert(index, request);
    }

    private void AddRow(Request request, int queryLen)
    {
        int prefixLen = request.NumComputedTokens;
        _step.AddRow(new ScheduledRow(request, prefixLen, queryLen, prefixLen + queryLen == request.NumTokens ? 1 : 0));

        // Advanced before the step has run, so that the host may one day decide the next step while this one is in flight.
        request.NumComputedTokens = prefixLen + queryLen;
        request.IsInFlight = true;
    }

    private void TakeBack(ScheduledStep step)
    {
        if (step != _step || !_stepInFlight) throw new InvalidOperationException("The step is not in flight.");
        _stepInFlight = false;
    }

    private void RemoveFinished() => _running.RemoveAll(static request => request.IsFinished);
}
