namespace Rocm.Inference.Engine;

/// <summary>Generation options with the model's defaults filled in and checked against its vocabulary. Immutable.</summary>
internal sealed class SamplingParameters
{
    private SamplingParameters(GenerationOptions options, GenerationDefaults defaults, int promptLen, ModelFacts facts)
    {
        MaxNewTokens = options.MaxNewTokens ?? facts.MaxModelLen - promptLen;
        MinNewTokens = options.MinNewTokens;
        Temperature = options.Temperature ?? (defaults.DoSample ? defaults.Temperature ?? 1 : 0);
        TopK = options.TopK ?? (defaults.DoSample ? defaults.TopK ?? 0 : 0);
        TopP = options.TopP ?? (defaults.DoSample ? defaults.TopP ?? 1 : 1);
        MinP = options.MinP ?? (defaults.DoSample ? defaults.MinP ?? 0 : 0);
        RepetitionPenalty = options.RepetitionPenalty ?? defaults.RepetitionPenalty ?? 1;
        PresencePenalty = options.PresencePenalty;
        FrequencyPenalty = options.FrequencyPenalty;
        Seed = unchecked((ulong)(options.Seed ?? Random.Shared.NextInt64(long.MinValue, long.MaxValue)));
        NumLogprobs = Math.Min(options.Logprobs ?? -1, facts.VocabSize);
        StopStrings = [.. options.StopStrings];
        EndTokenIds = options.IgnoreEos ? [.. options.StopTokenIds.Distinct()] : [.. defaults.EosTokenIds.Union(options.StopTokenIds)];
        LogitBias = options.LogitBias is null ? [] : [.. options.LogitBias];
    }

    public int MaxNewTokens { get; }

    public int MinNewTokens { get; }

    public float Temperature { get; }

    public int TopK { get; }

    public float TopP { get; }

    public float MinP { get; }

    public float RepetitionPenalty { get; }

    public float PresencePenalty { get; }

    public float FrequencyPenalty { get; }

    public ulong Seed { get; }

    /// <summary>−1 = none.</summary>
    public int NumLogprobs { get; }

    public string[] StopStrings { get; }

    /// <summary>Ids that end the answer, whoever asked for them.</summary>
    public int[] EndTokenIds { get; }

    public KeyValuePair<int, float>[] LogitBias { get; }

    /// <summary>True when the sampler must know which tokens occurred.</summary>
    public bool NeedsHistory => RepetitionPenalty != 1 || PresencePenalty != 0 || FrequencyPenalty != 0;

    /// <exception cref="ArgumentException">The prompt is empty, or an id is not in the vocabulary.</exception>
    /// <exception cref="ContextLengthExceededException">Prompt and answer do not fit.</exception>
    public static SamplingParameters Create(GenerationOptions options, GenerationDefaults defaults, ReadOnlySpan<int> prompt, ModelFacts facts)
    {
        if (prompt.IsEmpty)
            throw new ArgumentException("The prompt has no tokens; give at least one, for example by allowing special tokens.", nameof(prompt));

        // Long arithmetic: MaxNewTokens may be int.MaxValue.
        if ((long)prompt.Length + (options.MaxNewTokens ?? 1) > facts.MaxModelLen)
            throw new ContextLengthExceededException(prompt.Length, options.MaxNewTokens, facts.MaxModelLen);
        if (prompt.IndexOfAnyExceptInRange(0, facts.VocabSize - 1) is int bad and >= 0)
            throw new ArgumentOutOfRangeException(nameof(prompt), prompt[bad], $"Token {bad} of the prompt must be in [0, {facts.VocabSize}).");
        foreach (int id in options.StopTokenIds) CheckId(nameof(options.StopTokenIds), id, facts.VocabSize);
        if (options.LogitBias is not null)
        {
            foreach (int id in options.LogitBias.Keys) CheckId(nameof(options.LogitBias), id, facts.VocabSize);
        }

        var result = new SamplingParameters(options, defaults, prompt.Length, facts);

        // Refused here: a row without any token is an error of the sampler, which would end everybody's request.
        IEnumerable<int> banned = result.LogitBias.Where(entry => float.IsNegativeInfinity(entry.Value)).Select(entry => entry.Key);
        if (result.MinNewTokens > 0) banned = banned.Union(result.EndTokenIds);
        if (result.LogitBias.Length + result.EndTokenIds.Length >= facts.VocabSize && banned.Count() >= facts.VocabSize)
            throw new ArgumentException($"{nameof(options.LogitBias)} forbids every token of the vocabulary.", nameof(options));
        return result;
    }

    private static void CheckId(string field, int id, int vocabSize)
    {
        if (id >= vocabSize) throw new ArgumentOutOfRangeException($"options.{field}", id, $"Ids of {field} must be in [0, {vocabSize}).");
    }
}
