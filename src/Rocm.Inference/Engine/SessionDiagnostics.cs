using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Rocm.Inference.Diagnostics;
using Rocm.Inference.Scheduling;

namespace Rocm.Inference.Engine;

/// <summary>Log, metrics and traces of one session. Knows what the engine does; the names are in <see cref="Diagnostics"/>.</summary>
internal sealed class SessionDiagnostics : IDisposable
{
    private readonly ILogger _logger;
    private readonly InferenceMetrics _metrics;
    private readonly long _createdAt = Stopwatch.GetTimestamp();
    private long _prefixQueries;
    private long _prefixHits;

    public SessionDiagnostics(SessionServices services)
    {
        _logger = services.LoggerFactory.CreateLogger(Log.Category);
        _metrics = new InferenceMetrics(services.MeterFactory);
    }

    public RequestActivity StartLoad(SessionSettings settings)
    {
        Log.Loading(_logger, settings.ModelPath);
        Activity? activity = InferenceActivities.Source.StartActivity("rocm.inference.load");
        activity?.SetTag("rocm.inference.model_path", settings.ModelPath);
        return new RequestActivity(activity);
    }

    public void Loaded(LoadedModel model)
    {
        Log.DeviceChosen(_logger, model.Device.Name, model.Device.Architecture, model.Device.Reason);
        Log.AttentionChosen(_logger, model.Attention.ToString());
        Log.Loaded(
            _logger, model.Info.Name, model.Info.Architecture, Stopwatch.GetElapsedTime(_createdAt).TotalSeconds,
            model.Info.MaxModelLen, model.Info.KvCacheTokens, model.Info.KvCacheBytes);
    }

    public void LoadFailed(string modelPath, Exception exception)
    {
        if (exception is not OperationCanceledException) Log.LoadFailed(_logger, modelPath, exception);
    }

    public static RequestActivity StartRequest(Request request)
    {
        Activity? activity = InferenceActivities.Source.StartActivity("rocm.inference.request");
        activity?.SetTag("rocm.inference.request", request.Id);
        return new RequestActivity(activity);
    }

    public void QueuesChanged(int running, int waiting, double cacheUsage) => _metrics.SetQueues(running, waiting, cacheUsage);

    public void PrefixLooked(long queries, long hits)
    {
        if (queries == _prefixQueries) return;
        _metrics.PrefixQueries.Add(queries - _prefixQueries);
        _metrics.PrefixHits.Add(hits - _prefixHits);
        _prefixQueries = queries;
        _prefixHits = hits;
    }

    public void StepDone(ScheduledStep step, int numSampled, TimeSpan duration) => _metrics.AddStep(step.Rows.Length, numSampled, duration);

    public void Preempted(Request request)
    {
        _metrics.AddPreemption();
        Log.RequestPreempted(_logger, request.Id, request.NumTokens);
    }

    public void RequestCancelled(EngineRequest request)
    {
        _metrics.Finished.Add(1, new KeyValuePair<string, object?>("rocm.inference.finish_reason", "Cancelled"));
        Log.RequestCancelled(_logger, request.Request.Id, request.Request.NumGeneratedTokens);
    }

    public void RequestFinished(EngineRequest request)
    {
        GenerationTimings timings = request.Timings;
        GenerationUsage usage = request.Usage;
        FinishReason reason = request.Ending!.Value;
        _metrics.Finished.Add(1, new KeyValuePair<string, object?>("rocm.inference.finish_reason", reason.ToString()));
        _metrics.PromptTokens.Add(usage.PromptTokens);
        _metrics.QueueTime.Record(timings.Queue.TotalSeconds);
        _metrics.PrefillTime.Record(timings.Prefill.TotalSeconds);
        _metrics.TimeToFirstToken.Record(timings.TimeToFirstToken.TotalSeconds);
        _metrics.RequestTime.Record(timings.Total.TotalSeconds);
        if (usage.GeneratedTokens > 1) _metrics.TimePerOutputToken.Record(timings.Decode.TotalSeconds / (usage.GeneratedTokens - 1));
        Log.RequestFinished(_logger, request.Request.Id, reason, usage.PromptTokens, usage.CachedPromptTokens, usage.GeneratedTokens);
    }

    public void Faulted(Exception exception) => Log.EngineFaulted(_logger, exception);

    public void DisposeFailed(Exception exception) => Log.DisposeFailed(_logger, exception);

    public void Dispose() => _metrics.Dispose();
}
