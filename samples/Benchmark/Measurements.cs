namespace Benchmark;

/// <summary>One request.</summary>
/// <param name="FirstToken">From its arrival until the first token (TTFT), time in the queue included.</param>
/// <param name="OtherTokens">From the first until the last token.</param>
/// <param name="NumTokens">Tokens generated.</param>
internal sealed record RequestTiming(TimeSpan FirstToken, TimeSpan OtherTokens, int NumTokens)
{
    /// <summary>Mean time of a token after the first, in milliseconds (TPOT); null when there is one token only.</summary>
    public double? MillisecondsPerToken => NumTokens > 1 ? OtherTokens.TotalMilliseconds / (NumTokens - 1) : null;
}

/// <summary>All requests through one backend, once.</summary>
/// <param name="Requests">Their times.</param>
/// <param name="Duration">From the first request until the last answer.</param>
/// <param name="Preemptions">How often a request lost its cache and began again: there should be none.</param>
internal sealed record Round(IReadOnlyList<RequestTiming> Requests, TimeSpan Duration, long Preemptions)
{
    public Distribution FirstTokenMs { get; } = Distribution.Of(Requests.Select(request => request.FirstToken.TotalMilliseconds));

    public Distribution TokenMs { get; } = Distribution.Of(Requests.Select(request => request.MillisecondsPerToken).OfType<double>());

    /// <summary>Generated tokens per second, over all requests.</summary>
    public double OutputTokensPerSecond => Requests.Sum(request => request.NumTokens) / Duration.TotalSeconds;
}

/// <summary>A spread of numbers. All zero when there are none.</summary>
internal sealed record Distribution(double Mean, double Median, double P99)
{
    public static Distribution Of(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted.Length == 0 ? new Distribution(0, 0, 0) : new Distribution(sorted.Average(), Quantile(sorted, 0.5), Quantile(sorted, 0.99));
    }

    /// <summary>The median of each number over rounds.</summary>
    public static Distribution MedianOf(IReadOnlyList<Distribution> rounds) =>
        new(MedianOf(rounds.Select(d => d.Mean)), MedianOf(rounds.Select(d => d.Median)), MedianOf(rounds.Select(d => d.P99)));

    public static double MedianOf(IEnumerable<double> values) => Quantile([.. values.Order()], 0.5);

    // Between neighbours in proportion, as NumPy does it.
    private static double Quantile(double[] sorted, double share)
    {
        double at = share * (sorted.Length - 1);
        int below = (int)at;
        return below + 1 == sorted.Length ? sorted[below] : sorted[below] + ((at - below) * (sorted[below + 1] - sorted[below]));
    }
}
