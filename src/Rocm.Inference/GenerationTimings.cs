namespace Rocm.Inference;

/// <summary>Durations of a generation, measured in the engine with a monotonic clock.</summary>
public sealed record GenerationTimings
{
    /// <summary>From arrival until the first step that computed a part of the prompt.</summary>
    public required TimeSpan Queue { get; init; }

    /// <summary>From that step until the first token.</summary>
    public required TimeSpan Prefill { get; init; }

    /// <summary>From the first to the last token.</summary>
    public required TimeSpan Decode { get; init; }

    /// <summary>From arrival until the first token.</summary>
    public TimeSpan TimeToFirstToken => Queue + Prefill;

    /// <summary>From arrival until the last token.</summary>
    public TimeSpan Total => Queue + Prefill + Decode;

    /// <summary>Prompt tokens computed per second of <see cref="Prefill"/>; 0 when unknown.</summary>
    public required double PromptTokensPerSecond { get; init; }

    /// <summary>Tokens after the first per second of <see cref="Decode"/>; 0 when there is one token only.</summary>
    public required double GeneratedTokensPerSecond { get; init; }
}
