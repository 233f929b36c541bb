using System.Diagnostics;

namespace Rocm.Inference.Engine;

/// <summary>A span of a trace that ends as failed unless it is told how it went. Costs nothing when nobody listens.</summary>
internal readonly struct RequestActivity(Activity? activity) : IDisposable
{
    /// <summary>The generation has ended by itself.</summary>
    public void Finish(GenerationUpdate last)
    {
        if (activity is null) return;
        activity.SetTag("rocm.inference.finish_reason", last.FinishReason!.Value.ToString());
        activity.SetTag("rocm.inference.prompt_tokens", last.Usage!.PromptTokens);
        activity.SetTag("rocm.inference.cached_prompt_tokens", last.Usage.CachedPromptTokens);
        activity.SetTag("rocm.inference.generated_tokens", last.Usage.GeneratedTokens);
        activity.SetTag("rocm.inference.queue_time", last.Timings!.Queue.TotalSeconds);
        activity.SetTag("rocm.inference.time_to_first_token", last.Timings.TimeToFirstToken.TotalSeconds);
        activity.SetStatus(ActivityStatusCode.Ok);
    }

    public void Succeed() => activity?.SetStatus(ActivityStatusCode.Ok);

    public void Dispose()
    {
        if (activity is null) return;
        if (activity.Status == ActivityStatusCode.Unset) activity.SetStatus(ActivityStatusCode.Error);
        activity.Dispose();
    }
}
