using System.Text;
using Rocm.Inference.Engine;
using Xunit;

namespace Rocm.Inference.Tests.Engine;

public sealed class StopStringMatcherTests
{
    [Fact]
    public void A_stop_string_over_several_pieces_is_found_and_nothing_of_it_is_shown()
    {
        var matcher = new StopStringMatcher(["END"]);
        Assert.Equal("ab", matcher.Append("abE").ToString());
        Assert.Equal("", matcher.Append("N").ToString());
        Assert.Equal("", matcher.Append("Dxyz").ToString());
        Assert.True(matcher.IsMatched);
        Assert.Equal("", matcher.Flush().ToString());
    }

    [Fact]
    public void A_partial_match_is_released_when_it_fails()
    {
        var matcher = new StopStringMatcher(["aab"]);
        Assert.Equal("", matcher.Append("aa").ToString());
        Assert.Equal("a", matcher.Append("a").ToString());
        Assert.Equal("aac", matcher.Append("c").ToString());
        Assert.Equal("", matcher.Append("a").ToString());
        Assert.Equal("a", matcher.Flush().ToString());
        Assert.False(matcher.IsMatched);
    }

    [Fact]
    public void The_earliest_of_several_stop_strings_counts()
    {
        var matcher = new StopStringMatcher(["world", "lo w"]);
        Assert.Equal("hel", matcher.Append("hello world").ToString());
        Assert.True(matcher.IsMatched);
    }

    [Fact]
    public void Any_cutting_of_any_text_shows_what_a_search_of_the_whole_text_shows()
    {
        int seed = Environment.TickCount;
        var random = new Random(seed);
        for (int trial = 0; trial < 3000; trial++)
        {
            string text = RandomText(random, random.Next(40));
            string[] stops = [.. Enumerable.Range(0, random.Next(1, 4)).Select(_ => RandomText(random, random.Next(1, 6)))];
            int end = stops.Select(stop => text.IndexOf(stop, StringComparison.Ordinal)).Where(index => index >= 0).DefaultIfEmpty(-1).Min();
            var matcher = new StopStringMatcher(stops);
            var shown = new StringBuilder();

            // The stream ends with the first match, as the engine does: what counts is what completes first, not what begins first.
            for (int at = 0; at < text.Length && !matcher.IsMatched;)
            {
                shown.Append(matcher.Append(text.AsSpan(at, 1)));
                at++;
            }

            bool isMatched = matcher.IsMatched;
            shown.Append(matcher.Flush());
            Assert.True(isMatched == (end >= 0), $"seed {seed}, trial {trial}");
            if (!isMatched) Assert.Equal(text, shown.ToString());
            else Assert.Contains(stops, stop => (shown + stop).Length <= text.Length && text.StartsWith(shown + stop, StringComparison.Ordinal));
        }
    }

    private static string RandomText(Random random, int length) => string.Concat(Enumerable.Range(0, length).Select(_ => (char)('a' + random.Next(2))));
}
