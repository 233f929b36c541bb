namespace Rocm.Inference;

/// <summary>A whole answer.</summary>
public sealed record GenerationResult
{
    /// <summary>The text, without end tokens and stop strings.</summary>
    public required string Text { get; init; }

    /// <summary>All generated ids, including one that ended the answer.</summary>
    public required IReadOnlyList<int> TokenIds { get; init; }

    /// <summary>One entry per id when <see cref="GenerationOptions.Logprobs"/> is set, else empty.</summary>
    public IReadOnlyList<TokenLogprobs> Logprobs { get; init; } = [];

    /// <summary>Why the generation ended.</summary>
    public required FinishReason FinishReason { get; init; }

    /// <summary>Token counts.</summary>
    public required GenerationUsage Usage { get; init; }

    /// <summary>Durations.</summary>
    public required GenerationTimings Timings { get; init; }

    /// <summary>The text.</summary>
    public override string ToString() => Text;
}
