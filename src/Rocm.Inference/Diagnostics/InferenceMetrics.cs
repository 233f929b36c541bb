using System.Diagnostics.Metrics;

namespace Rocm.Inference.Diagnostics;

/// <summary>The instruments of one session. Recorded on the engine's thread; without a listener a record costs a comparison.</summary>
internal sealed class InferenceMetrics : IDisposable
{
    private readonly Meter? _own;
    private readonly UpDownCounter<int> _running;
    private readonly UpDownCounter<int> _waiting;
    private readonly Gauge<double> _cacheUsage;
    private readonly Counter<long> _preemptions;
    private readonly Histogram<int> _batchSize;
    private readonly Histogram<double> _stepTime;
    private int _lastRunning;
    private int _lastWaiting;

    /// <param name="factory">Owns the meter it makes; without one the session owns its meter.</param>
    public InferenceMetrics(IMeterFactory? factory)
    {
        Meter meter = factory?.Create(InferenceActivities.Name) ?? (_own = new Meter(InferenceActivities.Name));
        _running = meter.CreateUpDownCounter<int>("rocm.inference.requests.running", "{request}", "Requests being computed.");
        _waiting = meter.CreateUpDownCounter<int>("rocm.inference.requests.waiting", "{request}", "Requests waiting for room.");
        _cacheUsage = meter.CreateGauge<double>("rocm.inference.kv_cache.usage", "1", "Share of the KV cache's blocks in use.");
        _preemptions = meter.CreateCounter<long>("rocm.inference.preemptions", "{preemption}", "Requests that gave their blocks back and start again.");
        _batchSize = meter.CreateHistogram<int>("rocm.inference.step.batch_size", "{request}", "Requests computed in a step.");
        _stepTime = meter.CreateHistogram<double>("rocm.inference.step.duration", "s", "Duration of a step.");
        PrefixQueries = meter.CreateCounter<long>("rocm.inference.prefix_cache.queries", "{token}", "Prompt tokens looked up in the prefix cache.");
        PrefixHits = meter.CreateCounter<long>("rocm.inference.prefix_cache.hits", "{token}", "Prompt tokens found in the prefix cache.");
        PromptTokens = meter.CreateCounter<long>("rocm.inference.tokens.prompt", "{token}", "Prompt tokens of finished requests.");
        GeneratedTokens = meter.CreateCounter<long>("rocm.inference.tokens.generated", "{token}", "Tokens generated.");
        Finished = meter.CreateCounter<long>("rocm.inference.requests.finished", "{request}", "Requests that ended, by reason.");
        QueueTime = meter.CreateHistogram<double>("rocm.inference.request.queue_time", "s", "Time from arrival to the first step.");
        PrefillTime = meter.CreateHistogram<double>("rocm.inference.request.prefill_time", "s", "Time from the first step to the first token.");
        TimeToFirstToken = meter.CreateHistogram<double>("rocm.inference.request.time_to_first_token", "s", "Time from arrival to the first token.");
        TimePerOutputToken = meter.CreateHistogram<double>("rocm.inference.request.time_per_output_token", "s", "Mean time per token after the first.");
        RequestTime = meter.CreateHistogram<double>("rocm.inference.request.duration", "s", "Time from arrival to the last token.");
    }

    public Counter<long> PrefixQueries { get; }

    public Counter<long> PrefixHits { get; }

    public Counter<long> PromptTokens { get; }

    public Counter<long> GeneratedTokens { get; }

    /// <summary>Tag <c>rocm.inference.finish_reason</c>.</summary>
    public Counter<long> Finished { get; }

    public Histogram<double> QueueTime { get; }

    public Histogram<double> PrefillTime { get; }

    public Histogram<double> TimeToFirstToken { get; }

    public Histogram<double> TimePerOutputToken { get; }

    public Histogram<double> RequestTime { get; }

    public void SetQueues(int running, int waiting, double cacheUsage)
    {
        // Up-down counters take differences: several sessions add up, and one that ends takes its share away.
        if (running != _lastRunning) _running.Add(running - _lastRunning);
        if (waiting != _lastWaiting) _waiting.Add(waiting - _lastWaiting);
        _lastRunning = running;
        _lastWaiting = waiting;
        _cacheUsage.Record(cacheUsage);
    }

    public void AddPreemption() => _preemptions.Add(1);

    public void AddStep(int batchSize, int generatedTokens, TimeSpan duration)
    {
        _batchSize.Record(batchSize);
        _stepTime.Record(duration.TotalSeconds);
        if (generatedTokens > 0) GeneratedTokens.Add(generatedTokens);
    }

    public void Dispose() => _own?.Dispose();
}
