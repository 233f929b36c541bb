using System.Globalization;
using System.Text.Json;

namespace Rocm.Inference.TestKit;

/// <summary>What an independent program computed in double precision for one prompt.</summary>
internal sealed record GoldenCase
{
    /// <summary><c>long</c>, or <c>short</c> for a second prompt below the trained context length.</summary>
    public required string Name { get; init; }

    public required GoldenWeights Weights { get; init; }

    public required int[] Prompt { get; init; }

    /// <summary>Logits over the whole vocabulary by prompt position; the last position is always there.</summary>
    public required IReadOnlyDictionary<int, double[]> Logits { get; init; }

    /// <summary>Greedy ids after the prompt, each from a full pass over all ids before it; end-of-sequence ids do not stop it.</summary>
    public required int[] Greedy { get; init; }

    /// <summary>By how much the best logit of each greedy step beats the second.</summary>
    public required double[] GreedyMargins { get; init; }

    /// <summary>
    /// Greedy ids when keys keep the rotation they were cached with; differs from <see cref="Greedy"/> for dynamic NTK scaling only.
    /// </summary>
    public required int[] GreedyWithCache { get; init; }

    /// <summary>The largest error of the independent program's own float32 logits.</summary>
    public required double Float32Difference { get; init; }

    /// <summary>How far any logit moves when each weight changes by about one part in a million.</summary>
    public required double Sensitivity { get; init; }

    public double[] LastLogits => Logits[Prompt.Length - 1];

    public static IReadOnlyList<GoldenCase> ReadAll(string path)
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(path));
        return [.. document.RootElement.GetProperty("cases").EnumerateArray().Select(Read)];
    }

    private static GoldenCase Read(JsonElement row)
    {
        var greedy = Ids(row.GetProperty("greedy"));
        return new()
        {
            Name = row.GetProperty("case").GetString()!,
            Weights = row.GetProperty("weights").GetString() switch
            {
                "f32" => GoldenWeights.Float32,
                "bf16" => GoldenWeights.BFloat16,
                var other => throw new InvalidDataException($"Golden weights are 'f32' or 'bf16', found '{other}'."),
            },
            Prompt = Ids(row.GetProperty("prompt")),
            Logits = row.GetProperty("logits").EnumerateObject()
                .ToDictionary(position => int.Parse(position.Name, CultureInfo.InvariantCulture), position => Numbers(position.Value)),
            Greedy = greedy,
            GreedyMargins = Numbers(row.GetProperty("greedy_margins")),
            GreedyWithCache = row.TryGetProperty("greedy_with_cache", out var cached) ? Ids(cached) : greedy,
            Float32Difference = row.GetProperty("float32_difference").GetDouble(),
            Sensitivity = row.GetProperty("sensitivity_to_1e-6").GetDouble(),
        };
    }

    private static int[] Ids(JsonElement array) => [.. array.EnumerateArray().Select(id => id.GetInt32())];

    private static double[] Numbers(JsonElement array) => [.. array.EnumerateArray().Select(number => number.GetDouble())];
}
