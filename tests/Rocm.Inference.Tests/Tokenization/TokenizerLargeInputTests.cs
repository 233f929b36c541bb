using System.Diagnostics;
using System.Text.Json.Nodes;
using Xunit;

namespace Rocm.Inference.Tests.Tokenization;

/// <summary>Inputs a stranger may send to make tokenization slow. Bars are generous: they tell linear from quadratic, not fast from slow.</summary>
public sealed class TokenizerLargeInputTests
{
    private const int Million = 1_000_000;
    private const int Repeated = 300_000;
    private static readonly TimeSpan s_bar = TimeSpan.FromSeconds(10);

    [Theory]
    [InlineData("a")]
    [InlineData(" ")]
    [InlineData("\n")]
    [InlineData("7")]
    [InlineData("!")]
    [InlineData("日")]
    [InlineData("<")]
    [InlineData("aB")]
    [InlineData(" \n")]
    public void Hundreds_of_thousands_of_the_same_is_quick_in_every_family(string unit)
    {
        var text = string.Concat(Enumerable.Repeat(unit, Repeated / unit.Length));
        foreach (var name in TokenizerFixture.Names)
        {
            var tokenizer = TokenizerFixture.Open(name).Load();
            var watch = Stopwatch.StartNew();
            var count = tokenizer.CountTokens(text);
            Assert.True(watch.Elapsed < s_bar, $"{name}: {watch.Elapsed}");
            Assert.InRange(count, 1, 4 * Repeated);
        }
    }

    [Fact]
    public void One_word_of_random_letters_is_quick()
    {
        var random = new Random(3);
        var text = new string([.. Enumerable.Range(0, Million).Select(_ => (char)('a' + random.Next(26)))]);
        var tokenizer = TokenizerFixture.Open("llama3").Load();
        var watch = Stopwatch.StartNew();
        var ids = tokenizer.Encode(text, addSpecialTokens: false);
        Assert.True(watch.Elapsed < s_bar, $"{watch.Elapsed}");
        Assert.Equal(text, tokenizer.Decode(ids));
    }

    [Fact]
    public void A_pattern_that_explodes_ends_with_an_error()
    {
        var document = TokenizerJson.ByteLevel();
        document["pre_tokenizer"] = JsonNode.Parse(
            """{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"(?:a+a+)+b"},"behavior":"Isolated"},{"type":"ByteLevel","add_prefix_space":false}]}""");
        var tokenizer = TokenizerJson.Load(document);
        var error = Assert.Throws<RocmInferenceException>(() => tokenizer.Encode(new string('a', 300)));
        Assert.Contains("too many steps", error.Message, StringComparison.Ordinal);
        Assert.Equal(3, tokenizer.Encode("aab").Length);
    }

    [Fact]
    public void Replacements_that_feed_each_other_end_with_an_error()
    {
        var grow = """{"type":"Replace","pattern":{"String":"a"},"content":"aaaa"}""";
        var document = TokenizerJson.ByteLevel();
        document["normalizer"] = JsonNode.Parse($$"""{"type":"Sequence","normalizers":[{{string.Join(',', Enumerable.Repeat(grow, 40))}}]}""");
        var tokenizer = TokenizerJson.Load(document);
        Assert.Throws<RocmInferenceException>(() => tokenizer.Encode("a"));
        Assert.Single(tokenizer.Encode("b"));

        TokenizerJson.AddToken(document, 300, "<a>");
        document["added_tokens"]![0]!["normalized"] = true;
        Assert.Throws<ModelLoadException>(() => TokenizerJson.Load(document));
    }

    [Fact]
    public void Plain_text_is_fast()
    {
        var tokenizer = TokenizerFixture.Open("llama3").Load();
        var words = new[] { " the", " token", " of", " a", " model", ",", " returns", " value", "\n", " and", " stream" };
        var random = new Random(1);
        var text = string.Concat(Enumerable.Range(0, 300_000).Select(_ => words[random.Next(words.Length)]));
        tokenizer.CountTokens(text.AsSpan(0, 100_000));
        var watch = Stopwatch.StartNew();
        tokenizer.CountTokens(text);
        // A release build on an idle core does some ten times as much.
        Assert.True(text.Length / watch.Elapsed.TotalSeconds > 500_000, $"{text.Length / watch.Elapsed.TotalSeconds / 1e6:F1} MB/s");
    }
}
