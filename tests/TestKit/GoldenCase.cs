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

    /// <summary>
    /// Prompt and greedy ids together. Rotary scaling that depends on the sequence length (dynamic, longrope) was given this length
    /// throughout, so a session compares only when this is its longest sequence.
    /// </summary>
    public required int SessionLength { get; init; }

    /// <summary>Logits over the whole vocabulary by prompt position; the last position is always there.</summary>
    public required IReadOnlyDictionary<int, double[]> Logits { get; init; }

    /// <summary>Greedy ids after the prompt; end-of-sequence ids do not stop them.</summary>
    public required int[] Greedy { get; init; }

    /// <summary>By how much the best logit of each greedy step beats the second.</summary>
    public required double[] GreedyMargins { get; init; }

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
            SessionLength = row.GetProperty("session_length").GetInt32(),
            Logits = row.GetProperty("logits").EnumerateObject()
                .ToDictionary(position => int.Parse(position.Name, CultureInfo.InvariantCulture), position => Numbers(position.Value)),
            Greedy = Ids(row.GetProperty("greedy")),
            GreedyMargins = Numbers(row.GetProperty("greedy_margins")),
            Float32Difference = row.GetProperty("float32_difference").GetDouble(),
            Sensitivity = row.GetProperty("sensitivity_to_1e-6").GetDouble(),
        };
    }

    private static int[] Ids(JsonElement array) => [.. array.EnumerateArray().Select(id => id.GetInt32())];

    private static double[] Numbers(JsonElement array) => [.. array.EnumerateArray().Select(number => number.GetDouble())];
}
