using System.Text.Json;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Golden.Session;

/// <summary>What PyTorch in double precision says after a prompt of a trained model.</summary>
internal sealed record GoldenText(string Prompt, int[] PromptIds, int[] GreedyIds, double[] Margins, int? FirstEnd, string Text)
{
    /// <summary>Reads the file of one of samples/models.</summary>
    /// <param name="model">tiny-llama or tiny-mla.</param>
    public static GoldenText[] ReadAll(string model)
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(RepositoryPaths.Root, "tests", "Rocm.Inference.Golden", $"{model}.json")));
        return [.. document.RootElement.GetProperty("cases").EnumerateArray().Select(row => new GoldenText(
            row.GetProperty("prompt").GetString()!,
            [.. row.GetProperty("prompt_ids").EnumerateArray().Select(id => id.GetInt32())],
            [.. row.GetProperty("greedy_ids").EnumerateArray().Select(id => id.GetInt32())],
            [.. row.GetProperty("margins").EnumerateArray().Select(margin => margin.GetDouble())],
            row.GetProperty("first_end") is { ValueKind: JsonValueKind.Number } end ? end.GetInt32() : null,
            row.GetProperty("text").GetString()!))];
    }

    /// <summary>Checks that a greedy answer follows it, up to the first step whose lead the tolerance cannot decide.</summary>
    public void AssertFollowedBy(GenerationResult result, double tolerance)
    {
        Assert.Equal(PromptIds.Length, result.Usage.PromptTokens);
        Assert.Equal(GreedyIds.Length, result.TokenIds.Count);
        for (int step = 0; step < GreedyIds.Length; step++)
        {
            if (GreedyIds[step] == result.TokenIds[step]) continue;
            Assert.True(
                Margins[step] <= tolerance,
                $"'{Prompt}', step {step}: id {result.TokenIds[step]} instead of {GreedyIds[step]}, whose lead is {Margins[step]}");
            return;
        }
    }
}
