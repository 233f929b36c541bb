namespace Rocm.Inference;

/// <summary>What is new since the last update of a generation. A slow reader gets several tokens in one update; nothing is lost.</summary>
public sealed record GenerationUpdate
{
    /// <summary>
    /// New text; may be empty. Never half a character, never the beginning of a stop string: text may lag behind <see cref="TokenIds"/>.
    /// </summary>
    public string Text { get; init; } = string.Empty;

    /// <summary>New token ids, including one that ends the answer.</summary>
    public IReadOnlyList<int> TokenIds { get; init; } = [];

    /// <summary>One entry per id of <see cref="TokenIds"/> when <see cref="GenerationOptions.Logprobs"/> is set, else empty.</summary>
    public IReadOnlyList<TokenLogprobs> Logprobs { get; init; } = [];

    /// <summary>Why the generation ended; set on the last update only.</summary>
    public FinishReason? FinishReason { get; init; }

    /// <summary>Token counts; set on the last update only.</summary>
    public GenerationUsage? Usage { get; init; }

    /// <summary>Durations; set on the last update only.</summary>
    public GenerationTimings? Timings { get; init; }

    /// <summary>The new text.</summary>
    public override string ToString() => Text;
}
