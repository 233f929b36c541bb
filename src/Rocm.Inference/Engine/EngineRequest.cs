using System.Diagnostics;
using Rocm.Inference.Sampling;
using Rocm.Inference.Scheduling;

namespace Rocm.Inference.Engine;

/// <summary>
/// One generation, from submission to its end. Made by the caller's thread; <see cref="Cancel"/> may be called from any thread, everything
/// else belongs to the engine's.
/// </summary>
internal sealed class EngineRequest
{
    private readonly InferenceEngine _engine;
    private readonly IDetokenizer _detokenizer;
    private readonly StopStringMatcher? _stops;
    private readonly long _arrivedAt = Stopwatch.GetTimestamp();
    private long _scheduledAt;
    private long _firstTokenAt;
    private long _lastTokenAt;

    public EngineRequest(InferenceEngine engine, Request request, SamplingParameters parameters, IDetokenizer detokenizer)
    {
        _engine = engine;
        _detokenizer = detokenizer;
        Request = request;
        Parameters = parameters;
        Stream = new GenerationStream(parameters.NumLogprobs);
        if (parameters.StopStrings.Length > 0) _stops = new StopStringMatcher(parameters.StopStrings);
        if (parameters.NeedsHistory) Counts = new TokenCounts(request.PromptTokens);
        request.State = this;
    }

    public Request Request { get; }

    public SamplingParameters Parameters { get; }

    public GenerationStream Stream { get; }

    /// <summary>Tokens that occurred, or null when no penalty asks.</summary>
    public TokenCounts? Counts { get; }

    /// <summary>Why the request ends with the step being taken, or null.</summary>
    public FinishReason? Ending { get; private set; }

    /// <summary>Index in the engine's list of live requests, or −1.</summary>
    public int LiveIndex { get; set; } = -1;

    public bool WasScheduled => _scheduledAt != 0;

    /// <summary>Ends the generation from outside; without effect when it has ended.</summary>
    public void Cancel(Exception error)
    {
        if (Stream.Cancel(error)) _engine.Abort(this);
    }

    public void MarkScheduled()
    {
        if (_scheduledAt == 0) _scheduledAt = Stopwatch.GetTimestamp();
    }

    /// <summary>Takes the token sampled in this step: decodes it, decides whether it is the last, and passes it to the reader.</summary>
    public void Take(int id, float logprob, ReadOnlySpan<TokenLogprobEntry> top)
    {
        _lastTokenAt = Stopwatch.GetTimestamp();
        if (_firstTokenAt == 0) _firstTokenAt = _lastTokenAt;
        Counts?.AddGenerated(id);

        // An id that ends the answer is counted and reported, but has no text.
        ReadOnlySpan<char> text = [];
        bool isLongEnough = Request.NumGeneratedTokens + 1 >= Parameters.MinNewTokens;
        if (isLongEnough && Parameters.EndTokenIds.AsSpan().Contains(id))
        {
            Ending = FinishReason.Stop;
        }
        else
        {
            text = _detokenizer.Append(id);
            if (_stops is not null && isLongEnough)
            {
                text = _stops.Append(text);
                if (_stops.IsMatched) Ending = FinishReason.StopString;
            }

            if (Ending is null && Request.IsLastToken) Ending = FinishReason.Length;
        }

        Stream.Add(id, logprob, top, text, wakeReader: Ending is null);
    }

    /// <summary>
    /// Ends the stream with the text that was held back, usage and timings. Called when the scheduler has let go of the request.
    /// </summary>
    public void Finish()
    {
        if (Ending != FinishReason.StopString) FlushText();
        Stream.Complete(Ending!.Value, Usage, Timings);
    }

    public GenerationUsage Usage => new(Request.PromptLen, Request.NumCachedTokens, Request.NumGeneratedTokens);

    public GenerationTimings Timings
    {
        get
        {
            TimeSpan prefill = Stopwatch.GetElapsedTime(_scheduledAt, _firstTokenAt);
            TimeSpan decode = Stopwatch.GetElapsedTime(_firstTokenAt, _lastTokenAt);
            return new GenerationTimings
            {
                Queue = Stopwatch.GetElapsedTime(_arrivedAt, _scheduledAt),
                Prefill = prefill,
                Decode = decode,
                PromptTokensPerSecond = Rate(Request.PromptLen - Request.NumCachedTokens, prefill),
                GeneratedTokensPerSecond = Rate(Request.NumGeneratedTokens - 1, decode),
            };
        }
    }

    private static double Rate(int tokens, TimeSpan time) => time > TimeSpan.Zero ? tokens / time.TotalSeconds : 0;

    private void FlushText()
    {
        ReadOnlySpan<char> text = _detokenizer.Flush();
        if (_stops is null)
        {
            Stream.AddText(text);
            return;
        }

        Stream.AddText(_stops.Append(text));
        Stream.AddText(_stops.Flush());
    }
}
