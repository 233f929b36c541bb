using System.Text;
using System.Text.RegularExpressions;
using Rocm.Inference.Tokenization.Patterns;
using Xunit;

namespace Rocm.Inference.Tests.Tokenization;

public sealed class PatternTests(ITestOutputHelper output)
{
    private static readonly string[] s_units =
    [
        "a", "b", "Z", "É", "ſ", "1", "٣", "²", "日", "\U00020000", "'", "'s", "'LL", "'re", " ", "  ", "\n", "\r", "\t", "\u00A0", "\u0301",
        ".", "!", "/", "\U0001F600", "\u200D", "ǅ", "ʰ",
    ];

    [Theory]
    [InlineData(Gpt2Pattern.Source)]
    [InlineData(Cl100kPattern.ThreeDigits)]
    [InlineData(Cl100kPattern.OneDigit)]
    public void Hand_written_splits_agree_with_the_regex_they_stand_for(string source)
    {
        TextPattern written = source switch
        {
            Gpt2Pattern.Source => new Gpt2Pattern(),
            Cl100kPattern.ThreeDigits => new Cl100kPattern(3),
            _ => new Cl100kPattern(1),
        };
        var general = new RegexPattern(source);
        var seed = Environment.TickCount;
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        for (var round = 0; round < 3000; round++)
        {
            var text = RandomText(random);
            var expected = Split(general, text);
            Assert.Equal(expected, Split(written, text));
            Assert.Equal(text, string.Concat(expected));
        }
    }

    [Theory]
    [InlineData(@"[a-c]+?b|\d{2,3}|(?:ab|a)(?!c)\w*")]
    [InlineData(@"(?>a+)b|[^\sa]{1,2}(?=1|')|x??y")]
    [InlineData(@"(?i:[a-b]z|'re)|[\p{L}-[b]]|\s+(?!\S)")]
    public void The_engine_agrees_with_dotnet_on_text_without_astral_letters(string source)
    {
        // .NET writes class subtraction differently; the third pattern has it in its own spelling.
        var engine = new RegexPattern(source.Replace("[\\p{L}-[b]]", "[\\p{L}&&[^b]]", StringComparison.Ordinal));
        var dotnet = new Regex(source, RegexOptions.CultureInvariant);
        var random = new Random(11);
        for (var round = 0; round < 2000; round++)
        {
            var text = RandomText(random, bmpOnly: true);
            Assert.Equal(dotnet.Matches(text).Select(match => match.Value), Split(engine, text));
        }
    }

    [Theory]
    [InlineData("a++b", "aaab", "aaab")]
    [InlineData("a++ab|b", "aaab", "b")]
    [InlineData("a?+ab|ab", "ab", "ab")]
    [InlineData(@"\p{Han}+", "ab日本\U00020000c", "日本\U00020000")]
    [InlineData(@"[^\p{L}]", "a\U00020000!", "!")]
    [InlineData(@"(?i:'s)", "x'ſ", "'ſ")]
    [InlineData(@"[\x41-\x{43}\u0064]+", "xABCdD", "ABCd")]
    public void The_engine_does_what_dotnet_cannot(string source, string text, string expected) =>
        Assert.Equal([expected], Split(new RegexPattern(source), text));

    [Theory]
    [InlineData("(a")]
    [InlineData("a)")]
    [InlineData("[a")]
    [InlineData("[]")]
    [InlineData("a{3,1}")]
    [InlineData("a{9999}")]
    [InlineData("(?:(?:ab|cd){90}){90}")]
    [InlineData("(?:a?)*b")]
    [InlineData("^a")]
    [InlineData("a$")]
    [InlineData(@"\ba")]
    [InlineData(@"(a)\1")]
    [InlineData(@"\p{Greek}")]
    [InlineData("(?<=a)b")]
    [InlineData("(?<n>a)")]
    [InlineData("(?i:é)")]
    [InlineData(@"(?i:\p{Lu})")]
    [InlineData("[[:alpha:]]")]
    [InlineData("a|")]
    [InlineData(@"\")]
    [InlineData(@"[z-a]")]
    [InlineData(@"\x{110000}")]
    public void What_the_engine_does_not_know_it_refuses(string source) => Assert.Throws<FormatException>(() => new RegexPattern(source));

    private static string RandomText(Random random, bool bmpOnly = false)
    {
        var text = new StringBuilder();
        for (var i = random.Next(20); i > 0; i--)
        {
            var unit = s_units[random.Next(s_units.Length)];
            if (!bmpOnly || !char.IsSurrogate(unit[0]) && unit[0] is not ('ſ' or '\u200D' or '²')) text.Append(unit);
        }
        return text.ToString();
    }

    private static List<string> Split(TextPattern pattern, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        var pieces = new List<string>();
        var steps = 1_000_000L;
        var at = 0;
        while (pattern.Find(bytes, at, ref steps, out var start, out var end))
        {
            pieces.Add(Encoding.UTF8.GetString(bytes, start, end - start));
            at = end;
        }
        return pieces;
    }
}
