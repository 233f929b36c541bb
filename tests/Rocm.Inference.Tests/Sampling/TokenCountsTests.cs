using Rocm.Inference.Sampling;
using Xunit;

namespace Rocm.Inference.Tests.Sampling;

public sealed class TokenCountsTests
{
    [Fact]
    public void Counts_equal_those_of_a_dictionary()
    {
        int seed = Environment.TickCount;
        var random = new Random(seed);
        int[] prompt = [.. Enumerable.Range(0, 500).Select(_ => random.Next(300) * 128)];
        var expected = prompt.Distinct().ToDictionary(id => id, _ => 0);
        var counts = new TokenCounts(prompt);
        for (int i = 0; i < 2000; i++)
        {
            int id = random.Next(1000) * 64;
            counts.AddGenerated(id);
            expected[id] = expected.GetValueOrDefault(id) + 1;
        }

        Assert.True(
            expected.OrderBy(e => e.Key).Select(e => new TokenCount(e.Key, e.Value)).SequenceEqual(counts.Entries.ToArray().OrderBy(e => e.Id)),
            $"seed {seed}");
    }
}
