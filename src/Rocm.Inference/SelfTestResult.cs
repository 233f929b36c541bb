namespace Rocm.Inference;

/// <summary>One kernel at one shape, compared with a naive implementation in double precision.</summary>
public sealed record SelfTestResult
{
    /// <summary>The operation, for example "Linear" or "PagedDecode".</summary>
    public required string Kernel { get; init; }

    /// <summary>Dimensions, element types and features of the operands, for people.</summary>
    public required string Shape { get; init; }

    /// <summary>What became of it.</summary>
    public required SelfTestOutcome Outcome { get; init; }

    /// <summary>True when the result is right.</summary>
    public bool Passed => Outcome == SelfTestOutcome.Passed;

    /// <summary>Largest error of an element in units of the allowed error: at most 1 when right, infinity for NaN where there should be a number.</summary>
    /// <value>Null when there is no result.</value>
    public double? Error { get; init; }

    /// <summary>Median duration of a run, from the call until the device has finished.</summary>
    /// <value>Null when it was not measured.</value>
    public TimeSpan? Time { get; init; }

    /// <summary>Bytes that any implementation has to read and write at least: every operand once.</summary>
    public required long Bytes { get; init; }

    /// <summary><see cref="Bytes"/> per second in units of 10⁹.</summary>
    /// <value>Null when no time was measured.</value>
    public double? GigabytesPerSecond => Time is { Ticks: > 0 } time ? Bytes / time.TotalSeconds / 1e9 : null;

    /// <summary>What is wrong.</summary>
    /// <value>Null when it passed.</value>
    public string? Failure { get; init; }

    /// <inheritdoc/>
    public override string ToString() => Passed ? $"{Kernel} {Shape}: right" : $"{Kernel} {Shape}: {Failure}";
}
