using System.Text.Json.Nodes;
using Xunit;

namespace Rocm.Inference.Tests.Tokenization;

public sealed class TokenizerRefusalTests
{
    public static TheoryData<string, string, string> Changes => new()
    {
        { "model.type", "\"Unigram\"", "model.type" },
        { "model.dropout", "0.1", "model.dropout" },
        { "model.end_of_word_suffix", "\"</w>\"", "model.end_of_word_suffix" },
        { "model.surprise", "1", "model" },
        { "model.unk_token", "\"<none>\"", "model.unk_token" },
        { "model.vocab", "{}", "model.vocab" },
        { "model.vocab", "[]", "model.vocab" },
        { "model.vocab", "{\"a\":0}", "model.merges[0]" },
        { "model.vocab", "{\"a\":-1}", "model.vocab[\"a\"]" },
        { "model.vocab", "{\"a\":1.5}", "model.vocab[\"a\"]" },
        { "model.vocab", "{\"a\":NaN}", "" },
        { "model.vocab", "{\"a\":1e300}", "model.vocab[\"a\"]" },
        { "model.vocab", "{\"a\":16777216}", "model.vocab[\"a\"]" },
        { "model.vocab", "{\"a\":16777215}", "model.vocab" },
        { "model.vocab", "{\"a\":0,\"b\":0}", "model.vocab[\"b\"]" },
        { "model.vocab", "{\"a\":0,\"a\":1}", "" },
        { "model.vocab", "{\"\\ud800\":0}", "" },
        { "model.merges", "[\"a\"]", "model.merges[0]" },
        { "model.merges", "[\"a b\",\"a b c\"]", "model.merges[0]" },
        { "model.merges", "[[\"a\"]]", "model.merges[0]" },
        { "model.merges", "[7]", "model.merges[0]" },
        { "surprise", "1", "" },
        { "normalizer", "{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"\"}", "normalizer.type" },
        { "normalizer", "{\"type\":\"NFC\",\"strict\":true}", "normalizer" },
        { "normalizer", "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"(?<=a)b\"},\"content\":\"\"}", "normalizer.pattern.Regex" },
        { "normalizer", "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"a*\"},\"content\":\"\"}", "normalizer.pattern.Regex" },
        { "normalizer", "{\"type\":\"Replace\",\"pattern\":{\"String\":\"\"},\"content\":\"\"}", "normalizer.pattern.String" },
        { "normalizer", "{\"type\":\"Strip\",\"strip_left\":1,\"strip_right\":true}", "normalizer.strip_left" },
        { "pre_tokenizer", "{\"type\":\"UnicodeScripts\"}", "pre_tokenizer.type" },
        { "pre_tokenizer", "{}", "pre_tokenizer.type" },
        { "pre_tokenizer", "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(a\"},\"behavior\":\"Isolated\"}", "pre_tokenizer.pattern.Regex" },
        { "pre_tokenizer", "{\"type\":\"Split\",\"pattern\":{\"String\":\"a\"},\"behavior\":\"Cut\"}", "pre_tokenizer.behavior" },
        { "pre_tokenizer", "{\"type\":\"Metaspace\",\"replacement\":\"ab\"}", "pre_tokenizer.replacement" },
        { "pre_tokenizer", "{\"type\":\"Metaspace\",\"replacement\":\"_\",\"prepend_scheme\":\"maybe\"}", "pre_tokenizer.prepend_scheme" },
        { "post_processor", "{\"type\":\"Wrap\"}", "post_processor.type" },
        { "post_processor", "{\"type\":\"TemplateProcessing\",\"single\":[],\"special_tokens\":{}}", "post_processor.single" },
        { "post_processor", "{\"type\":\"RobertaProcessing\",\"sep\":[\"a\",1],\"cls\":[\"a\",0]}", "post_processor.cls[1]" },
        { "decoder", "{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":true}", "decoder.type" },
        { "decoder", "{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Fuse\"},{\"type\":\"ByteFallback\"}]}", "decoder.decoders[1]" },
        { "added_tokens", "[{\"id\":0,\"content\":\"<x>\"}]", "added_tokens[0].id" },
        { "added_tokens", "[{\"id\":-5,\"content\":\"<x>\"}]", "added_tokens[0].id" },
        { "added_tokens", "[{\"id\":900,\"content\":\"<x>\"},{\"id\":900,\"content\":\"<y>\"}]", "added_tokens[1].id" },
        { "added_tokens", "[{\"id\":900,\"content\":\"<x>\"},{\"id\":901,\"content\":\"<x>\"}]", "added_tokens[1]" },
        { "added_tokens", "[{\"id\":16777215,\"content\":\"<x>\"}]", "added_tokens[0].id" },
    };

    [Theory]
    [MemberData(nameof(Changes))]
    public void A_file_that_asks_for_what_is_not_done_is_refused_by_place(string path, string value, string place)
    {
        const string Marker = "\"@@marker@@\"";
        var document = TokenizerJson.ByteLevel("a b");
        var names = path.Split('.');
        JsonNode node = document;
        foreach (var name in names[..^1]) node = node[name]!;
        node[names[^1]] = "@@marker@@";
        var json = document.ToJsonString().Replace(Marker, value, StringComparison.Ordinal);

        if (place == "model.merges[0]" && value.Contains("a b c", StringComparison.Ordinal)) place = "model.merges[1]";
        var error = Assert.Throws<ModelLoadException>(() => TokenizerJson.Load(json));
        Assert.Equal(TokenizerJson.Path, error.File);
        if (place.Length > 0) Assert.Equal(place, error.Tensor);
        Assert.NotNull(error.Expected);
    }

    [Fact]
    public void A_missing_byte_is_named()
    {
        var document = TokenizerJson.ByteLevel();
        document["model"]!["vocab"]!.AsObject().Remove("a");
        var error = Assert.Throws<ModelLoadException>(() => TokenizerJson.Load(document));
        Assert.Equal("<0x61>", error.Found);
    }

    [Fact]
    public void Deep_nesting_is_refused()
    {
        var json = string.Concat(Enumerable.Repeat("{\"type\":\"Sequence\",\"normalizers\":[", 20)) + string.Concat(Enumerable.Repeat("]}", 20));
        var document = TokenizerJson.ByteLevel();
        document["normalizer"] = JsonNode.Parse(json);
        Assert.Throws<ModelLoadException>(() => TokenizerJson.Load(document));
        Assert.Throws<ModelLoadException>(() => TokenizerJson.Load(new string('[', 100_000)));
    }

    [Fact]
    public void Long_replacements_and_added_tokens_are_refused()
    {
        var document = TokenizerJson.ByteLevel();
        document["normalizer"] = new JsonObject { ["type"] = "Prepend", ["prepend"] = new string('x', 2000) };
        Assert.Equal("normalizer.prepend", Assert.Throws<ModelLoadException>(() => TokenizerJson.Load(document)).Tensor);
        document["normalizer"] = null;
        TokenizerJson.AddToken(document, 300, new string('x', 2000));
        Assert.Equal("added_tokens[0]", Assert.Throws<ModelLoadException>(() => TokenizerJson.Load(document)).Tensor);
    }

    [Fact]
    public void A_folder_without_tokenizer_says_what_it_lacks()
    {
        var error = Assert.Throws<ModelLoadException>(() => Tokenizer.Load(Path.Combine(Path.GetTempPath(), "no-such-model-folder")));
        Assert.EndsWith("tokenizer.json", error.File, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("{\"bos_token\":7}")]
    [InlineData("{\"eos_token\":\"<nowhere>\"}")]
    [InlineData("{\"tokenizer_class\":\"LlamaTokenizer\",\"add_bos_token\":true,\"bos_token\":\"<nowhere>\"}")]
    [InlineData("{\"eos_token\":{\"lstrip\":false}}")]
    [InlineData("{")]
    public void A_bad_config_is_refused(string config) =>
        Assert.Throws<ModelLoadException>(() => TokenizerJson.Load(TokenizerJson.ByteLevel(), config));

    [Fact]
    public void An_unpaired_surrogate_is_an_argument_error_with_its_index()
    {
        var tokenizer = TokenizerJson.Load(TokenizerJson.ByteLevel());
        Assert.Contains("index 2", Assert.Throws<ArgumentException>(() => tokenizer.Encode("ab\uD800c")).Message, StringComparison.Ordinal);
        Assert.Contains("index 0", Assert.Throws<ArgumentException>(() => tokenizer.Encode("\uDC00")).Message, StringComparison.Ordinal);
        Assert.Contains("index 3", Assert.Throws<ArgumentException>(() => tokenizer.CountTokens("abc\uD83D")).Message, StringComparison.Ordinal);
        var far = new string('x', 200_000) + "\uD800";
        Assert.Contains("index 200000", Assert.Throws<ArgumentException>(() => tokenizer.Encode(far)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Pairs_of_surrogates_survive_wherever_they_fall()
    {
        var tokenizer = TokenizerJson.Load(TokenizerJson.ByteLevel());
        for (var lead = 0; lead < 2; lead++)
        {
            var text = new string('x', lead) + string.Concat(Enumerable.Repeat("\U0001F600", 70_000));
            Assert.Equal(text, tokenizer.Decode(tokenizer.Encode(text)));
        }
    }

    [Fact]
    public void Negative_ids_are_argument_errors_and_unused_ones_add_nothing()
    {
        var tokenizer = TokenizerJson.Load(TokenizerJson.ByteLevel());
        Assert.Throws<ArgumentOutOfRangeException>(() => tokenizer.Decode([97, -1]));
        Assert.Throws<ArgumentOutOfRangeException>(() => tokenizer.CreateDetokenizer().Append(-1));
        Assert.Equal("ab", tokenizer.Decode([97, 5000, int.MaxValue, 98]));
        Assert.Throws<ArgumentOutOfRangeException>(() => tokenizer.GetToken(5000));
    }
}
