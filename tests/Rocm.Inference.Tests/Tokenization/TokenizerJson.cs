using System.Text;
using System.Text.Json.Nodes;
using Rocm.Inference.Tokenization;

namespace Rocm.Inference.Tests.Tokenization;

/// <summary>Small tokenizer.json documents made by hand, to be changed by a test before they are read.</summary>
internal static class TokenizerJson
{
    public const string Path = "/models/hand-made/tokenizer.json";

    /// <summary>A byte-level vocabulary of the 256 bytes in order and what the merges make of them.</summary>
    public static JsonObject ByteLevel(params string[] merges)
    {
        var vocabulary = new JsonObject();
        for (var value = 0; value < 256; value++) vocabulary[ByteAlphabet.ToChar((byte)value).ToString()] = value;
        return Document(vocabulary, merges, new JsonObject { ["type"] = "ByteLevel", ["add_prefix_space"] = false, ["use_regex"] = true });
    }

    /// <summary>A vocabulary of characters with byte tokens, as SentencePiece makes them: unk, the 256 bytes, the characters, what merges make.</summary>
    public static JsonObject Characters(string characters, params string[] merges)
    {
        var vocabulary = new JsonObject { ["<unk>"] = 0 };
        for (var value = 0; value < 256; value++) vocabulary[ByteTokens.Name(value)] = value + 1;
        foreach (var character in characters.EnumerateRunes()) vocabulary[character.ToString()] = vocabulary.Count;
        var document = Document(vocabulary, merges, preTokenizer: null);
        document["model"]!["byte_fallback"] = true;
        document["model"]!["unk_token"] = "<unk>";
        document["decoder"] = new JsonObject
        {
            ["type"] = "Sequence",
            ["decoders"] = new JsonArray(new JsonObject { ["type"] = "ByteFallback" }, new JsonObject { ["type"] = "Fuse" }),
        };
        return document;
    }

    public static void AddToken(JsonObject document, int id, string content, bool special = false)
    {
        document["added_tokens"]!.AsArray().Add(new JsonObject
        {
            ["id"] = id, ["content"] = content, ["special"] = special, ["normalized"] = false,
            ["single_word"] = false, ["lstrip"] = false, ["rstrip"] = false,
        });
    }

    public static Tokenizer Load(JsonObject document, string? config = null) => Load(document.ToJsonString(), config);

    public static Tokenizer Load(string json, string? config = null) => Load(Encoding.UTF8.GetBytes(json), config);

    public static Tokenizer Load(byte[] json, string? config = null) =>
        new(TokenizerLoader.Parse(json, Path, config is null ? null : Encoding.UTF8.GetBytes(config), Path));

    private static JsonObject Document(JsonObject vocabulary, string[] merges, JsonObject? preTokenizer)
    {
        var list = new JsonArray();
        foreach (var merge in merges)
        {
            list.Add(merge);
            vocabulary[merge.Replace(" ", "", StringComparison.Ordinal)] ??= vocabulary.Count;
        }
        return new JsonObject
        {
            ["version"] = "1.0",
            ["added_tokens"] = new JsonArray(),
            ["normalizer"] = null,
            ["pre_tokenizer"] = preTokenizer,
            ["post_processor"] = null,
            ["decoder"] = new JsonObject { ["type"] = "ByteLevel" },
            ["model"] = new JsonObject { ["type"] = "BPE", ["vocab"] = vocabulary, ["merges"] = list },
        };
    }
}
