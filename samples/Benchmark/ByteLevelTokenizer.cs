using System.Text.Json.Nodes;

namespace Benchmark;

/// <summary>A tokenizer.json for models that nobody trained: a token for each byte, and names for the other ids.</summary>
internal static class ByteLevelTokenizer
{
    public static void WriteTo(string folder, int vocabularySize)
    {
        var tokens = new JsonObject();
        int shifted = 256;
        for (int value = 0; value < 256; value++)
        {
            // The alphabet of byte-level BPE: a byte that prints is itself, the others are the characters from U+0100 on.
            bool prints = value is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or >= 0xAE;
            tokens[((char)(prints ? value : shifted++)).ToString()] = value;
        }

        for (int id = 256; id < vocabularySize; id++) tokens[$"filler{id}"] = id;
        var document = new JsonObject
        {
            ["version"] = "1.0",
            ["added_tokens"] = new JsonArray(),
            ["normalizer"] = null,
            ["pre_tokenizer"] = ByteLevel(),
            ["post_processor"] = null,
            ["decoder"] = ByteLevel(),
            ["model"] = new JsonObject { ["type"] = "BPE", ["vocab"] = tokens, ["merges"] = new JsonArray() },
        };
        File.WriteAllText(Path.Combine(folder, "tokenizer.json"), document.ToJsonString());
    }

    private static JsonObject ByteLevel() => new() { ["type"] = "ByteLevel", ["add_prefix_space"] = false, ["trim_offsets"] = true, ["use_regex"] = true };
}
