namespace Rocm.Inference;

/// <summary>A token and its natural-log probability under the model, before penalties, temperature and truncation.</summary>
/// <param name="TokenId">The token.</param>
/// <param name="Logprob">ln p, at most 0.</param>
public readonly record struct TokenLogprob(int TokenId, float Logprob);

/// <summary>Log-probabilities at the place of one generated token.</summary>
public sealed record TokenLogprobs
{
    /// <summary>The generated token.</summary>
    public required int TokenId { get; init; }

    /// <summary>ln p of the generated token.</summary>
    public required float Logprob { get; init; }

    /// <summary>
    /// The most likely tokens at this place, most likely first; as many as <see cref="GenerationOptions.Logprobs"/> asks.
    /// </summary>
    public IReadOnlyList<TokenLogprob> Top { get; init; } = [];
}
