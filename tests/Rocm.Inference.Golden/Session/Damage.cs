using System.Buffers.Binary;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Rocm.Inference.Golden.Session;

/// <summary>Ways to spoil a model folder.</summary>
internal static class Damage
{
    public static void Config(SessionFolder folder, string key, string json)
    {
        // As text, since what is put in need not be JSON.
        JsonObject config = JsonNode.Parse(File.ReadAllBytes(folder.File("config.json")))!.AsObject();
        config.Remove(key);
        string text = config.ToJsonString();
        File.WriteAllText(folder.File("config.json"), $"{{\"{key}\":{json},{text[1..]}");
    }

    public static void Tokenizer(SessionFolder folder, string key, string json)
    {
        JsonObject document = JsonNode.Parse(File.ReadAllBytes(folder.File("tokenizer.json")))!.AsObject();
        document[key] = JsonNode.Parse(json);
        File.WriteAllText(folder.File("tokenizer.json"), document.ToJsonString());
    }

    public static void Truncate(SessionFolder folder, string file, double share)
    {
        using FileStream stream = File.OpenWrite(folder.File(file));
        stream.SetLength((long)(stream.Length * share));
    }

    public static void HeaderLength(SessionFolder folder, string file, ulong length)
    {
        using FileStream stream = File.OpenWrite(folder.File(file));
        Span<byte> prefix = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(prefix, length);
        stream.Write(prefix);
    }

    /// <summary>Rewrites the header of a safetensors file; the data stay.</summary>
    public static void Header(SessionFolder folder, string file, Action<JsonObject> change)
    {
        byte[] bytes = File.ReadAllBytes(folder.File(file));
        int length = (int)BinaryPrimitives.ReadUInt64LittleEndian(bytes);
        JsonObject header = JsonNode.Parse(bytes.AsSpan(8, length))!.AsObject();
        change(header);
        byte[] json = JsonSerializer.SerializeToUtf8Bytes(header);
        byte[] prefix = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(prefix, (ulong)json.Length);
        File.WriteAllBytes(folder.File(file), [.. prefix, .. json, .. bytes.AsSpan(8 + length)]);
    }

    /// <summary>The first tensor of a header whose name ends so.</summary>
    public static JsonObject Tensor(JsonObject header, string suffix) => header.First(entry => entry.Key.EndsWith(suffix, StringComparison.Ordinal)).Value!.AsObject();
}
