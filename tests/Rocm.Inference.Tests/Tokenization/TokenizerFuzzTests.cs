using System.Buffers;
using System.Text;
using System.Text.Json.Nodes;
using Rocm.Inference.Tokenization;
using Xunit;

namespace Rocm.Inference.Tests.Tokenization;

public sealed class TokenizerFuzzTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData("llama3")]
    [InlineData("gemma")]
    [InlineData("deepseek-v3")]
    [InlineData("added-variants")]
    public void Damaged_files_are_refused_or_usable(string name)
    {
        var seed = Environment.TickCount;
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        var json = TokenizerFixture.Open(name).Json;
        var refused = 0;
        for (var round = 0; round < 150; round++)
        {
            var damaged = round % 3 == 0 ? DamageBytes(json, random) : DamageTree(json, random);
            try
            {
                var tokenizer = TokenizerJson.Load(damaged);
                var ids = tokenizer.Encode("Hello, wörld! 日本 12345 \U0001F600 <|im_end|>\n\n  x", allowSpecialTokensInText: true);
                tokenizer.Decode(ids, skipSpecialTokens: false);
            }
            catch (ModelLoadException)
            {
                refused++;
            }
        }
        Assert.InRange(refused, 1, 150);
    }

    [Fact]
    public void Any_text_survives_a_byte_level_tokenizer()
    {
        var seed = Environment.TickCount;
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        foreach (var name in new[] { "gpt2", "llama3", "gpt-oss", "deepseek-v3", "phi4" })
        {
            var tokenizer = TokenizerFixture.Open(name).Load();
            for (var round = 0; round < 300; round++)
            {
                var text = RandomText(random, random.Next(60));
                Assert.Equal(text, tokenizer.Decode(tokenizer.Encode(text, addSpecialTokens: false), skipSpecialTokens: false));
            }
        }
    }

    [Fact]
    public void Streams_of_random_ids_equal_one_shot_decoding_and_an_independent_decoder()
    {
        var seed = Environment.TickCount;
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        foreach (var name in TokenizerFixture.Names)
        {
            var tokenizer = TokenizerFixture.Open(name).Load();
            var streaming = tokenizer.CreateDetokenizer(skipSpecialTokens: false);
            for (var round = 0; round < 200; round++)
            {
                // Mostly low ids, where the single bytes are, so that broken characters abound.
                var ids = Enumerable.Range(0, random.Next(30)).Select(_ => random.Next(random.Next(2) == 0 ? 262 : tokenizer.VocabSize + 5)).ToArray();
                var text = string.Concat(ids.Select(id => streaming.Append(id))) + streaming.Flush();
                Assert.Equal(tokenizer.Decode(ids, skipSpecialTokens: false), text);
                if (IsByteLevel(name)) Assert.Equal(DecodeBytes(tokenizer, ids), text);
            }
        }
    }

    [Fact]
    public void A_stream_holds_back_only_what_may_still_become_a_character()
    {
        var tokenizer = TokenizerJson.Load(TokenizerJson.ByteLevel());
        var stream = tokenizer.CreateDetokenizer();
        Assert.Equal(["", "", "", "\U0001F600"], new[] { 0xF0, 0x9F, 0x98, 0x80 }.Select(id => stream.Append(id)));
        Assert.Equal(["", "\uFFFDa", "\uFFFD", "b"], new[] { 0xE6, 'a', 0xFF, 'b' }.Select(id => stream.Append(id)));
        Assert.Equal(["", "\uFFFD\uFFFD"], new[] { 0xE0, 0x80 }.Select(id => stream.Append(id)));
        Assert.Equal(["", ""], new[] { 0xE6, 0x97 }.Select(id => stream.Append(id)));
        Assert.Equal("\uFFFD", stream.Flush());
        Assert.Equal("a", stream.Append('a'));
        Assert.Equal("", stream.Flush());
    }

    [Fact]
    public void Byte_tokens_stream_character_by_character()
    {
        var tokenizer = TokenizerJson.Load(TokenizerJson.Characters("a"));
        var stream = tokenizer.CreateDetokenizer();
        Assert.Equal(["", "", "日", "\n"], new[] { 0xE6, 0x97, 0xA5, 0x0A }.Select(value => stream.Append(value + 1)));
        Assert.Equal("", stream.Append(0xE6 + 1));
        Assert.Equal("", stream.Append(0x97 + 1));
        Assert.Equal("\uFFFD\uFFFDa", stream.Append(257));
    }

    [Fact]
    public void Streaming_into_a_buffer_allocates_nothing_per_token()
    {
        foreach (var name in new[] { "llama3", "llama2" })
        {
            var fixture = TokenizerFixture.Open(name);
            var tokenizer = fixture.Load();
            var ids = fixture.Expected.Cases.SelectMany(c => c.Ids).ToArray();
            var text = new ArrayBufferWriter<char>(1 << 20);
            var stream = tokenizer.CreateDetokenizer();
            foreach (var id in ids) stream.Append(id, text);
            text.ResetWrittenCount();
            var before = GC.GetAllocatedBytesForCurrentThread();
            foreach (var id in ids) stream.Append(id, text);
            stream.Flush(text);
            Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
            Assert.NotEqual(0, text.WrittenCount);
        }
    }

    private static bool IsByteLevel(string name) => name is not ("llama2" or "mistral" or "gemma" or "phi3");

    private static string DecodeBytes(Tokenizer tokenizer, int[] ids)
    {
        var bytes = new List<byte>();
        foreach (var id in ids)
        {
            if (!tokenizer.TryGetToken(id, out var token)) continue;
            bytes.AddRange(ByteAlphabet.TryUnmap(token) ?? Encoding.UTF8.GetBytes(token));
        }
        return Encoding.UTF8.GetString([.. bytes]);
    }

    private static string RandomText(Random random, int length)
    {
        var text = new StringBuilder();
        for (var i = 0; i < length; i++)
        {
            var codePoint = random.Next(4) switch
            {
                0 => random.Next(0x80),
                1 => random.Next(0x800),
                2 => random.Next(0x10000),
                _ => random.Next(0x110000),
            };
            text.Append(Rune.IsValid(codePoint) ? new Rune(codePoint).ToString() : " ");
        }
        return text.ToString();
    }

    private static byte[] DamageBytes(byte[] json, Random random)
    {
        var damaged = json.ToArray();
        for (var i = random.Next(1, 4); i > 0; i--) damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
        return random.Next(4) == 0 ? damaged[..random.Next(damaged.Length)] : damaged;
    }

    /// <summary>Replaces, removes or renames something anywhere in the document; the big lists get no more than their share.</summary>
    private static byte[] DamageTree(byte[] json, Random random)
    {
        JsonNode node = JsonNode.Parse(json)!;
        var root = node;
        while (true)
        {
            var keys = node is JsonObject o ? o.Select(pair => pair.Key).ToArray() : [];
            var count = node is JsonArray a ? a.Count : keys.Length;
            if (count == 0) break;
            var index = random.Next(count);
            var child = node is JsonArray array ? array[index] : node[keys[index]];
            if (child is JsonObject or JsonArray && random.Next(5) > 0)
            {
                node = child;
                continue;
            }
            JsonNode? value = random.Next(8) switch
            {
                0 => null,
                1 => JsonValue.Create(random.Next(-5, 2000)),
                2 => JsonValue.Create(1e300),
                3 => JsonValue.Create(true),
                4 => JsonValue.Create(""),
                5 => JsonValue.Create(RandomText(random, 3)),
                6 => new JsonArray(JsonValue.Create("a"), JsonValue.Create("b")),
                _ => new JsonObject { ["type"] = "Sequence", ["String"] = "(", ["Regex"] = "[a-" },
            };
            if (node is JsonArray list) list[index] = value;
            else if (random.Next(3) == 0) node.AsObject().Remove(keys[index]);
            else if (random.Next(6) == 0) node.AsObject()[RandomText(random, 2)] = value;
            else node[keys[index]] = value;
            break;
        }
        return Encoding.UTF8.GetBytes(root.ToJsonString());
    }
}
