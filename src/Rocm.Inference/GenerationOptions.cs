namespace Rocm.Inference;

/// <summary>
/// How one answer is generated. Everything is optional; what is null comes from the model's <c>generation_config.json</c> as Hugging Face
/// does it: if that file asks for sampling (<c>do_sample</c>), its temperature, top-k, top-p and min-p are used, else generation is greedy;
/// its repetition penalty is always used. Values are checked when the call is made.
/// </summary>
/// <remarks>
/// Order of operations on a row of logits: log-probabilities are taken from the raw logits; then bias and bans, repetition, frequency and
/// presence penalties, temperature, min-p, top-k, top-p, draw. A seed gives the same tokens on every device wherever the logits agree.
/// </remarks>
public sealed record GenerationOptions
{
    /// <summary>Most log-probabilities that can be asked for.</summary>
    public const int MaxLogprobs = 100;

    /// <summary>Most tokens to generate, at least 1.</summary>
    /// <value>Default: what is left of the context.</value>
    public int? MaxNewTokens { get; init; }

    /// <summary>Tokens to generate at least: until then end and stop tokens are banned, and stop strings not looked for.</summary>
    public int MinNewTokens { get; init; }

    /// <summary>0 = greedy; below 1 sharper, above 1 flatter; at most 100.</summary>
    public float? Temperature { get; init; }

    /// <summary>Draw from the k most likely tokens; 0 = off.</summary>
    public int? TopK { get; init; }

    /// <summary>Draw from the smallest set of tokens whose probabilities add up to this, in (0, 1]; 1 = off.</summary>
    public float? TopP { get; init; }

    /// <summary>Drop tokens less likely than this share of the most likely one, in [0, 1]; 0 = off.</summary>
    public float? MinP { get; init; }

    /// <summary>
    /// Divides positive and multiplies negative logits of tokens that occurred in prompt or answer, in [0.01, 100]; 1 = off.
    /// </summary>
    public float? RepetitionPenalty { get; init; }

    /// <summary>Subtracted once from the logits of tokens that occurred in the answer, in [−2, 2]; 0 = off.</summary>
    public float PresencePenalty { get; init; }

    /// <summary>Subtracted per occurrence in the answer, in [−2, 2]; 0 = off.</summary>
    public float FrequencyPenalty { get; init; }

    /// <summary>Added to the logits of single tokens, by id, in [−10000, 10000]; −∞ forbids a token.</summary>
    public IReadOnlyDictionary<int, float>? LogitBias { get; init; }

    /// <summary>Seed of the draws.</summary>
    /// <value>Default: another one for every call.</value>
    public long? Seed { get; init; }

    /// <summary>
    /// Null = no log-probabilities; 0 = of each generated token; n = also of the n most likely tokens at its place, n ≤
    /// <see cref="MaxLogprobs"/>.
    /// </summary>
    public int? Logprobs { get; init; }

    /// <summary>
    /// Texts that end the answer; they, and what follows, are not part of it. At most 64 of at most 1024 characters, none empty.
    /// </summary>
    public IReadOnlyList<string> StopStrings { get; init; } = [];

    /// <summary>Token ids that end the answer, besides the model's own.</summary>
    public IReadOnlyList<int> StopTokenIds { get; init; } = [];

    /// <summary>True to go on when the model ends its answer; for measurements.</summary>
    public bool IgnoreEos { get; init; }

    /// <summary>Whether the tokenizer adds the model's own special tokens (such as beginning-of-sequence) to a text prompt.</summary>
    public bool AddSpecialTokens { get; init; } = true;

    /// <summary>
    /// Whether special tokens that a text prompt spells out count as such. Only for text whose author may control the model, such as a
    /// rendered chat template; else they are the plain text they look like.
    /// </summary>
    public bool AllowSpecialTokensInPrompt { get; init; }

    /// <summary>Requests share cached prefixes only with requests of the same salt; keeps tenants apart.</summary>
    public string? CacheSalt { get; init; }
}
