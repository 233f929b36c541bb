using System.Diagnostics.CodeAnalysis;

namespace Rocm.Inference.Engine;

/// <summary>
/// Checks the arguments of a generation when the call is made; what depends on the model is checked when the request is built.
/// </summary>
internal static class GenerationOptionsValidation
{
    private const int MaxStopStrings = 64;
    private const int MaxStopStringLength = 1024;
    private const int MaxStopTokenIds = 1024;
    private const int MaxLogitBias = 65536;
    private const int MaxCacheSaltLength = 1024;
    private const float MaxAbsoluteBias = 10_000;

    public static void ThrowIfInvalid(GenerationOptions options)
    {
        if (options.MaxNewTokens is < 1) Throw(nameof(options.MaxNewTokens), options.MaxNewTokens, "at least 1");
        if (options.MinNewTokens < 0) Throw(nameof(options.MinNewTokens), options.MinNewTokens, "at least 0");
        if (options.MaxNewTokens is int most && options.MinNewTokens > most)
            Throw(nameof(options.MinNewTokens), options.MinNewTokens, $"at most {nameof(options.MaxNewTokens)} ({most})");

        // Negated comparisons, so that NaN is refused too.
        if (options.Temperature is float temperature && !(temperature >= 0 && temperature <= 100))
            Throw(nameof(options.Temperature), temperature, "in [0, 100]");
        if (options.TopK is < 0) Throw(nameof(options.TopK), options.TopK, "at least 0 (0 = off)");
        if (options.TopP is float topP && !(topP > 0 && topP <= 1)) Throw(nameof(options.TopP), topP, "in (0, 1]");
        if (options.MinP is float minP && !(minP >= 0 && minP <= 1)) Throw(nameof(options.MinP), minP, "in [0, 1]");
        if (options.RepetitionPenalty is float repetition && !(repetition >= 0.01f && repetition <= 100))
            Throw(nameof(options.RepetitionPenalty), repetition, "in [0.01, 100]");
        if (!(options.PresencePenalty >= -2 && options.PresencePenalty <= 2))
            Throw(nameof(options.PresencePenalty), options.PresencePenalty, "in [-2, 2]");
        if (!(options.FrequencyPenalty >= -2 && options.FrequencyPenalty <= 2))
            Throw(nameof(options.FrequencyPenalty), options.FrequencyPenalty, "in [-2, 2]");
        if (options.Logprobs is int logprobs && (logprobs < 0 || logprobs > GenerationOptions.MaxLogprobs))
            Throw(nameof(options.Logprobs), logprobs, $"in [0, {GenerationOptions.MaxLogprobs}]");
        CheckStops(options);
        CheckLogitBias(options);
        if (options.CacheSalt is { Length: 0 or > MaxCacheSaltLength })
            Throw(nameof(options.CacheSalt), options.CacheSalt.Length, $"of 1 to {MaxCacheSaltLength} characters");
    }

    /// <summary>Refuses text that has no UTF-8 form: a surrogate without its other half.</summary>
    public static void ThrowIfNotText(string text, string name)
    {
        int index = IndexOfLoneSurrogate(text);
        if (index >= 0)
            throw new ArgumentException($"{name} is not valid UTF-16: character {index} (U+{(int)text[index]:X4}) is half of a surrogate pair.", name);
    }

    private static void CheckStops(GenerationOptions options)
    {
        if (options.StopStrings is null) throw new ArgumentException($"{nameof(options.StopStrings)} must not be null.", nameof(options));
        if (options.StopTokenIds is null) throw new ArgumentException($"{nameof(options.StopTokenIds)} must not be null.", nameof(options));
        if (options.StopStrings.Count > MaxStopStrings)
            Throw(nameof(options.StopStrings), options.StopStrings.Count, $"at most {MaxStopStrings} texts");
        for (int i = 0; i < options.StopStrings.Count; i++)
        {
            string name = $"{nameof(options.StopStrings)}[{i}]";
            if (options.StopStrings[i] is not { Length: > 0 and <= MaxStopStringLength })
                Throw(name, options.StopStrings[i]?.Length, $"a text of 1 to {MaxStopStringLength} characters");
            ThrowIfNotText(options.StopStrings[i], name);
        }

        if (options.StopTokenIds.Count > MaxStopTokenIds)
            Throw(nameof(options.StopTokenIds), options.StopTokenIds.Count, $"at most {MaxStopTokenIds} ids");
        for (int i = 0; i < options.StopTokenIds.Count; i++)
        {
            if (options.StopTokenIds[i] < 0) Throw($"{nameof(options.StopTokenIds)}[{i}]", options.StopTokenIds[i], "at least 0");
        }
    }

    private static void CheckLogitBias(GenerationOptions options)
    {
        if (options.LogitBias is null) return;
        if (options.LogitBias.Count > MaxLogitBias) Throw(nameof(options.LogitBias), options.LogitBias.Count, $"at most {MaxLogitBias} entries");
        foreach ((int id, float bias) in options.LogitBias)
        {
            if (id < 0) Throw($"{nameof(options.LogitBias)} key", id, "at least 0");

            // Bounded, so that a sum with a logit stays finite.
            if (!float.IsNegativeInfinity(bias) && !(MathF.Abs(bias) <= MaxAbsoluteBias))
                Throw($"{nameof(options.LogitBias)}[{id}]", bias, $"in [-{MaxAbsoluteBias}, {MaxAbsoluteBias}] or negative infinity");
        }
    }

    private static int IndexOfLoneSurrogate(string text)
    {
        for (int i = text.AsSpan().IndexOfAnyInRange('\uD800', '\uDFFF'); (uint)i < (uint)text.Length; i++)
        {
            if (!char.IsSurrogate(text[i])) continue;
            if (!char.IsHighSurrogate(text[i]) || i + 1 == text.Length || !char.IsLowSurrogate(text[i + 1])) return i;
            i++;
        }

        return -1;
    }

    [DoesNotReturn]
    private static void Throw(string field, object? found, string expected) =>
        throw new ArgumentOutOfRangeException($"options.{field}", found, $"{field} must be {expected}.");
}
