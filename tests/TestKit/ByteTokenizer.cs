using System.Text.Json.Nodes;

namespace Rocm.Inference.TestKit;

/// <summary>The least tokenizer.json that a session accepts: the 256 bytes as ids 0 to 255, no merges, no special tokens.</summary>
internal static class ByteTokenizer
{
    public static void WriteTo(string folder)
    {
        var vocabulary = new JsonObject();
        int next = 256;
        for (int value = 0; value < 256; value++)
        {
            // Byte-level BPE spells a byte that prints as itself, and the others as the characters from U+0100 on, in order.
            bool prints = value is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or >= 0xAE;
            vocabulary[((char)(prints ? value : next++)).ToString()] = value;
        }

        var document = new JsonObject
        {
            ["version"] = "1.0",
            ["added_tokens"] = new JsonArray(),
            ["normalizer"] = null,
            ["pre_tokenizer"] = new JsonObject { ["type"] = "ByteLevel", ["add_prefix_space"] = false, ["use_regex"] = true },
            ["post_processor"] = null,
            ["decoder"] = new JsonObject { ["type"] = "ByteLevel" },
            ["model"] = new JsonObject { ["type"] = "BPE", ["vocab"] = vocabulary, ["merges"] = new JsonArray() },
        };
        File.WriteAllText(Path.Combine(folder, "tokenizer.json"), document.ToJsonString());
    }
}
