using System.Globalization;
using System.Text;
using Xunit;

namespace Rocm.Inference.Tests.Tokenization;

/// <summary>Ids and texts against those of Hugging Face's tokenizers, recorded in fixtures/ (see its README).</summary>
public sealed class TokenizerGoldenTests
{
    public static TheoryData<string> Names => [.. TokenizerFixture.Names];

    [Fact]
    public void All_families_are_recorded() => Assert.Superset(
        new HashSet<string> { "gpt2", "llama2", "llama3", "qwen2", "mistral", "gemma", "phi3", "phi4", "gpt-oss", "deepseek-v3", "added-variants" },
        TokenizerFixture.Names.ToHashSet());

    [Theory]
    [MemberData(nameof(Names))]
    public void Encoding_gives_the_ids_of_Hugging_Face(string name)
    {
        var fixture = TokenizerFixture.Open(name);
        var tokenizer = fixture.Load();
        Assert.NotEmpty(fixture.Expected.Cases);
        foreach (var expected in fixture.Expected.Cases)
        {
            AssertIds(expected.Ids, tokenizer.Encode(expected.Text, allowSpecialTokensInText: true), expected.Text, "ids");
            AssertIds(
                expected.IdsNoSpecial, tokenizer.Encode(expected.Text, addSpecialTokens: false, allowSpecialTokensInText: true), expected.Text,
                "ids without specials added");
            AssertIds(expected.IdsPlain, tokenizer.Encode(expected.Text, addSpecialTokens: false), expected.Text, "ids of plain text");
            Assert.Equal(expected.Ids.Length, tokenizer.CountTokens(expected.Text, allowSpecialTokensInText: true));
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Decoding_gives_the_text_of_Hugging_Face(string name)
    {
        var fixture = TokenizerFixture.Open(name);
        var tokenizer = fixture.Load();
        foreach (var expected in fixture.Expected.Cases)
        {
            Assert.Equal(expected.Decoded, tokenizer.Decode(expected.Ids));
            Assert.Equal(expected.DecodedKeepSpecial, tokenizer.Decode(expected.Ids, skipSpecialTokens: false));
        }
        var compared = 0;
        foreach (var expected in fixture.Expected.DecodeCases)
        {
            if (HasPartlyBrokenByteRun(tokenizer, expected.Ids)) continue;
            compared++;
            Assert.Equal(expected.Text, tokenizer.Decode(expected.Ids));
            Assert.Equal(expected.TextKeepSpecial, tokenizer.Decode(expected.Ids, skipSpecialTokens: false));
        }
        Assert.True(compared > fixture.Expected.DecodeCases.Length / 4, $"only {compared} random cases are comparable");
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Streaming_gives_the_same_text(string name)
    {
        var fixture = TokenizerFixture.Open(name);
        var tokenizer = fixture.Load();
        foreach (var ids in fixture.Expected.Cases.Select(c => c.Ids).Concat(fixture.Expected.DecodeCases.Select(c => c.Ids)))
        {
            foreach (var skip in new[] { true, false })
            {
                var detokenizer = tokenizer.CreateDetokenizer(skip);
                var text = new StringBuilder();
                foreach (var id in ids) text.Append(detokenizer.Append(id));
                text.Append(detokenizer.Flush());
                Assert.Equal(tokenizer.Decode(ids, skip), text.ToString());
            }
        }
    }

    /// <summary>
    /// Hugging Face makes a whole run of byte tokens U+FFFD when any of it is broken, which a stream could only do by holding back all of it;
    /// ours keeps the characters of the run that are whole.
    /// </summary>
    private static bool HasPartlyBrokenByteRun(Tokenizer tokenizer, int[] ids)
    {
        var strict = new UTF8Encoding(false, throwOnInvalidBytes: true);
        foreach (var skip in new[] { true, false })
        {
            var run = new List<byte>();
            foreach (var id in ids.Append(-1))
            {
                if (id >= 0 && skip && tokenizer.IsSpecial(id)) continue;
                if (id >= 0 && tokenizer.TryGetToken(id, out var token) && token.Length == 6 && token.StartsWith("<0x", StringComparison.Ordinal))
                {
                    run.Add(byte.Parse(token.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture));
                    continue;
                }
                var lossy = Encoding.UTF8.GetString([.. run]);
                if (lossy.Contains('\uFFFD') && lossy.Any(c => c != '\uFFFD')) return true;
                run.Clear();
            }
        }
        return false;
    }

    private static void AssertIds(int[] expected, int[] actual, string text, string what)
    {
        if (expected.AsSpan().SequenceEqual(actual)) return;
        Assert.Fail($"{what} of \"{text}\" differ.\nexpected {string.Join(' ', expected)}\nfound    {string.Join(' ', actual)}");
    }
}
