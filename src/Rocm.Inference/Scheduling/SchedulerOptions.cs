namespace Rocm.Inference.Scheduling;

/// <summary>Limits of a step and policies of the scheduler.</summary>
internal sealed record SchedulerOptions
{
    /// <summary>Tokens computed in one step, prefill and decode together.</summary>
    public int MaxNumBatchedTokens { get; init; } = 2048;

    /// <summary>Requests that run at once.</summary>
    public int MaxNumRequests { get; init; } = 256;

    /// <summary>Prompt plus output of one request.</summary>
    public int MaxModelLen { get; init; } = 4096;

    /// <summary>Whether a prompt may be computed in pieces. When not, <see cref="MaxNumBatchedTokens"/> must hold a request of full length.</summary>
    public bool EnableChunkedPrefill { get; init; } = true;

    public bool EnablePrefixCaching { get; init; } = true;

    /// <summary>Most tokens of one request in a step, so that long prompts share the budget; 0 for no limit. Needs chunked prefill.</summary>
    public int LongPrefillTokenThreshold { get; init; }

    /// <summary>Whether a request is admitted only when blocks for all its tokens are free, not only for its first piece.</summary>
    public bool ReserveFullPrompt { get; init; } = true;

    /// <summary>Share of the blocks kept free when a request is admitted beside others, 0 to below 1; fewer preemptions for less use.</summary>
    public double Watermark { get; init; }

    /// <summary>Slots allocated beyond the tokens of a step, for draft tokens.</summary>
    public int NumLookaheadTokens { get; init; }

    /// <summary>Most tokens of one request in a step.</summary>
    internal int MaxStepTokens =>
        EnableChunkedPrefill && LongPrefillTokenThreshold > 0 ? Math.Min(LongPrefillTokenThreshold, MaxNumBatchedTokens) : MaxNumBatchedTokens;

    internal void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(MaxNumRequests);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxModelLen, 2);
        ArgumentOutOfRangeException.ThrowIfNegative(LongPrefillTokenThreshold);
        ArgumentOutOfRangeException.ThrowIfNegative(NumLookaheadTokens);
        if (!(Watermark >= 0 && Watermark < 1)) throw new ArgumentOutOfRangeException(nameof(Watermark), Watermark, "Expected 0 to below 1.");

        // Every running request must get a token in every step, or the last ones would wait for the first to end.
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxNumBatchedTokens, MaxNumRequests);
        if (!EnableChunkedPrefill) ArgumentOutOfRangeException.ThrowIfLessThan(MaxNumBatchedTokens, MaxModelLen);
    }
}
