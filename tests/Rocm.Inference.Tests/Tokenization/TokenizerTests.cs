using System.Buffers;
using System.Text.Json.Nodes;
using Xunit;

namespace Rocm.Inference.Tests.Tokenization;

public sealed class TokenizerTests
{
    [Fact]
    public void Special_tokens_in_text_count_only_when_allowed()
    {
        var document = TokenizerJson.ByteLevel();
        TokenizerJson.AddToken(document, 300, "<|im_end|>", special: true);
        TokenizerJson.AddToken(document, 301, "<tool>");
        var tokenizer = TokenizerJson.Load(document);

        Assert.Equal([97, 300], tokenizer.Encode("a<|im_end|>", allowSpecialTokensInText: true));
        Assert.DoesNotContain(300, tokenizer.Encode("a<|im_end|>"));
        Assert.Equal("a<|im_end|>", tokenizer.Decode(tokenizer.Encode("a<|im_end|>")));
        Assert.Equal([301], tokenizer.Encode("<tool>"));
        Assert.Equal("a", tokenizer.Decode([97, 300]));
        Assert.Equal("a<|im_end|>", tokenizer.Decode([97, 300], skipSpecialTokens: false));
        Assert.True(tokenizer.IsSpecial(300));
        Assert.False(tokenizer.IsSpecial(301));
    }

    [Fact]
    public void A_special_token_of_the_vocabulary_is_not_reached_by_ignoring_merges()
    {
        var document = TokenizerJson.ByteLevel();
        document["model"]!["ignore_merges"] = true;
        document["model"]!["vocab"]!["word"] = 256;
        document["model"]!["vocab"]!["stop"] = 257;
        TokenizerJson.AddToken(document, 257, "stop", special: true);
        var tokenizer = TokenizerJson.Load(document);
        Assert.Equal([256], tokenizer.Encode("word"));
        Assert.Equal("stop"u8.ToArray().Select(b => (int)b), tokenizer.Encode("stop"));
        Assert.Equal([257], tokenizer.Encode("stop", allowSpecialTokensInText: true));
    }

    [Fact]
    public void The_longest_added_token_wins()
    {
        var document = TokenizerJson.ByteLevel();
        TokenizerJson.AddToken(document, 300, "<a>");
        TokenizerJson.AddToken(document, 301, "<a>b");
        TokenizerJson.AddToken(document, 302, "a>bcd");
        var tokenizer = TokenizerJson.Load(document);
        Assert.Equal([301, 'c', 'd'], tokenizer.Encode("<a>bcd"));
        Assert.Equal([300, 'c'], tokenizer.Encode("<a>c"));
    }

    [Fact]
    public void Merges_apply_by_rank_then_from_the_left()
    {
        var tokenizer = TokenizerJson.Load(TokenizerJson.ByteLevel("b c", "a b", "a a"));
        Assert.Equal(["a", "bc"], tokenizer.Encode("abc").Select(tokenizer.GetToken));
        Assert.Equal(["aa", "a"], tokenizer.Encode("aaa").Select(tokenizer.GetToken));
        Assert.Equal(["a", "ab"], tokenizer.Encode("aab").Select(tokenizer.GetToken));
    }

    [Fact]
    public void A_long_piece_merges_as_a_short_one_does()
    {
        // The scan and the heap are two programs; pieces of both sizes must agree where they repeat with a period that no merge crosses.
        var tokenizer = TokenizerJson.Load(TokenizerJson.ByteLevel("b c", "a b", "a a", "aa a", "aa aa", "bc a", "c d"));
        var random = new Random(5);
        for (var round = 0; round < 200; round++)
        {
            var unit = "z" + new string([.. Enumerable.Range(0, random.Next(1, 40)).Select(_ => "abcd"[random.Next(4)])]) + "z";
            var once = tokenizer.Encode(unit);
            var many = tokenizer.Encode(string.Concat(Enumerable.Repeat(unit, 60)));
            Assert.Equal(Enumerable.Repeat(once, 60).SelectMany(ids => ids), many);
        }
    }

    [Fact]
    public void Words_of_a_sentence_piece_text_encode_alone_only_where_no_merge_crosses()
    {
        var apart = TokenizerJson.Load(TokenizerJson.Characters("▁ab", "a b", "▁ a", "▁ ▁"));
        Assert.Equal(["▁", "ab", "▁▁", "b", "▁"], apart.Encode("▁ab▁▁b▁").Select(apart.GetToken));
        var across = TokenizerJson.Load(TokenizerJson.Characters("▁ab", "b ▁", "a b"));
        Assert.Equal(["a", "b▁", "a", "b▁"], across.Encode("ab▁ab▁").Select(across.GetToken));
    }

    [Fact]
    public void Missing_characters_fall_back_to_bytes()
    {
        var tokenizer = TokenizerJson.Load(TokenizerJson.Characters("▁ab"));
        Assert.Equal(["a", "<0xE6>", "<0x97>", "<0xA5>", "b"], tokenizer.Encode("a日b").Select(tokenizer.GetToken));
        Assert.Equal("a日b", tokenizer.Decode(tokenizer.Encode("a日b")));
    }

    [Fact]
    public void The_config_names_tokens_and_switches_only_the_classes_that_obey_it()
    {
        var document = TokenizerJson.ByteLevel();
        TokenizerJson.AddToken(document, 300, "<s>", special: true);
        TokenizerJson.AddToken(document, 301, "</s>", special: true);
        const string Names = "\"bos_token\":{\"content\":\"<s>\"},\"eos_token\":\"</s>\",\"pad_token\":null,\"add_bos_token\":true,\"add_eos_token\":true";

        var obeying = TokenizerJson.Load(document, "{\"tokenizer_class\":\"LlamaTokenizerFast\"," + Names + "}");
        Assert.Equal([300, 97, 301], obeying.Encode("a"));
        Assert.Equal([97], obeying.Encode("a", addSpecialTokens: false));
        Assert.Equal(3, obeying.CountTokens("a"));
        Assert.Equal(300, obeying.BosTokenId);
        Assert.Equal([301], obeying.EosTokenIds);
        Assert.Null(obeying.PadTokenId);
        Assert.Equal(302, obeying.VocabSize);

        var plain = TokenizerJson.Load(document, "{\"tokenizer_class\":\"PreTrainedTokenizerFast\"," + Names + "}");
        Assert.Equal([97], plain.Encode("a"));
        Assert.Empty(TokenizerJson.Load(document).EosTokenIds);

        var odd = TokenizerJson.Load(document, "{\"bos_token\":\"<nowhere>\",\"eos_token\":\"\",\"pad_token\":\"[PAD]\"}");
        Assert.Null(odd.BosTokenId);
        Assert.Null(odd.PadTokenId);
        Assert.Empty(odd.EosTokenIds);
    }

    [Fact]
    public void Ids_go_to_a_buffer_as_well()
    {
        var tokenizer = TokenizerJson.Load(TokenizerJson.ByteLevel());
        var ids = new ArrayBufferWriter<int>();
        tokenizer.Encode("ab".AsSpan(), ids);
        tokenizer.Encode("c".AsSpan(), ids);
        Assert.Equal([97, 98, 99], ids.WrittenSpan.ToArray());
    }

    [Fact]
    public async Task Loading_from_a_folder_works_off_thread_and_can_be_cancelled()
    {
        var folder = Directory.CreateTempSubdirectory("tokenizer").FullName;
        try
        {
            await File.WriteAllTextAsync(Path.Combine(folder, "tokenizer.json"), "\uFEFF" + TokenizerJson.ByteLevel().ToJsonString());
            var tokenizer = await Tokenizer.LoadAsync(folder);
            Assert.True(tokenizer.TryGetId("a", out var id));
            Assert.Equal(97, id);
            Assert.False(tokenizer.TryGetId("nowhere", out _));
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Tokenizer.LoadAsync(folder, new CancellationToken(canceled: true)));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void One_tokenizer_serves_many_threads()
    {
        var fixture = TokenizerFixture.Open("llama3");
        var tokenizer = fixture.Load();
        Parallel.For(0, 8, new ParallelOptions { MaxDegreeOfParallelism = 4 }, _ =>
        {
            foreach (var expected in fixture.Expected.Cases)
            {
                Assert.Equal(expected.Ids, tokenizer.Encode(expected.Text, allowSpecialTokensInText: true));
                Assert.Equal(expected.Decoded, tokenizer.Decode(expected.Ids));
            }
        });
    }

    [Fact]
    public void Pieces_behind_a_byte_level_step_are_split_by_its_characters()
    {
        // Falcon's order: digits are split after the bytes have become characters, where byte B2 is the digit-like U+00B2.
        var document = TokenizerJson.ByteLevel("a 1", "1 2");
        document["pre_tokenizer"] = JsonNode.Parse(
            """{"type":"Sequence","pretokenizers":[{"type":"ByteLevel","add_prefix_space":false,"use_regex":false},{"type":"Digits","individual_digits":true}]}""");
        var tokenizer = TokenizerJson.Load(document);
        Assert.Equal(['a', '1', '2'], tokenizer.Encode("a12"));
        Assert.Equal("a12 日", tokenizer.Decode(tokenizer.Encode("a12 日")));
    }

    [Fact]
    public void Added_tokens_of_normalized_text_give_back_what_normalization_put_in()
    {
        var document = TokenizerJson.Characters("▁xy");
        document["normalizer"] = JsonNode.Parse(
            """{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},{"type":"Replace","pattern":{"String":" "},"content":"▁"}]}""");
        document["decoder"]!["decoders"]!.AsArray().Insert(
            0, JsonNode.Parse("""{"type":"Replace","pattern":{"String":"▁"},"content":" "}"""));
        TokenizerJson.AddToken(document, 300, "<tool>");
        document["added_tokens"]![0]!["normalized"] = true;
        var tokenizer = TokenizerJson.Load(document);
        var ids = tokenizer.Encode("x <tool>y");
        Assert.Equal(["▁", "x", "<tool>", "y"], ids.Select(tokenizer.GetToken));
        Assert.Equal(" x <tool>y", tokenizer.Decode(ids));
    }
}
