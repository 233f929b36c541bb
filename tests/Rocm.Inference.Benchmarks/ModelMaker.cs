using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Rocm.Inference.Benchmarks;

/// <summary>
/// Writes a Llama folder with random weights from a seed: the shape of a model without its download. Speed does not depend on the values, as long as they
/// stay ordinary numbers.
/// </summary>
internal static class ModelMaker
{
    private const int MaxPositions = 2048;

    private sealed record Shape(int Hidden, int Layers, int Heads, int KvHeads, int Ffn, int Vocabulary, bool IsTied)
    {
        public static Shape Named(string name) => name switch
        {
            "15m" => new Shape(288, 6, 6, 6, 768, 32000, true),
            "1.1b" => new Shape(2048, 22, 32, 4, 5632, 32000, false),
            _ => throw new ArgumentException($"Expected --shape 15m or 1.1b, found '{name}'."),
        };
    }

    public static void Run(CommandArguments arguments)
    {
        string folder = arguments.Operand("a folder to write");
        Shape shape = Shape.Named(arguments.Text("--shape") ?? "15m");
        string type = arguments.Text("--dtype") ?? "bf16";
        if (type is not ("bf16" or "f32")) throw new ArgumentException($"Expected --dtype bf16 or f32, found '{type}'.");
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "config.json"), Config(shape, type).ToJsonString());
        File.WriteAllText(Path.Combine(folder, "tokenizer.json"), Tokenizer(shape.Vocabulary).ToJsonString());
        long bytes = WriteWeights(Path.Combine(folder, "model.safetensors"), shape, type == "bf16", arguments.Number("--seed", 1));
        Console.WriteLine($"{folder}: {bytes / 1e6:F1} MB of weights");
    }

    private static JsonObject Config(Shape shape, string type) => new()
    {
        ["architectures"] = new JsonArray("LlamaForCausalLM"),
        ["model_type"] = "llama",
        ["hidden_act"] = "silu",
        ["bos_token_id"] = 0,
        ["eos_token_id"] = 1,
        ["max_position_embeddings"] = MaxPositions,
        ["rope_theta"] = 10000.0,
        ["rms_norm_eps"] = 1e-5,
        ["torch_dtype"] = type == "bf16" ? "bfloat16" : "float32",
        ["hidden_size"] = shape.Hidden,
        ["num_hidden_layers"] = shape.Layers,
        ["num_attention_heads"] = shape.Heads,
        ["num_key_value_heads"] = shape.KvHeads,
        ["intermediate_size"] = shape.Ffn,
        ["vocab_size"] = shape.Vocabulary,
        ["tie_word_embeddings"] = shape.IsTied,
    };

    /// <summary>Byte-level BPE without merges: a token for each byte, and names for the other ids.</summary>
    private static JsonObject Tokenizer(int vocabulary)
    {
        var tokens = new JsonObject();
        int shifted = 0;
        for (int b = 0; b < 256; b++)
        {
            // The printable alphabet of byte-level BPE: itself where visible, else from U+0100 on.
            bool isVisible = b is (>= 0x21 and <= 0x7E) or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF);
            tokens[((char)(isVisible ? b : 256 + shifted++)).ToString()] = b;
        }

        for (int id = 256; id < vocabulary; id++) tokens[$"filler{id}"] = id;
        JsonObject ByteLevel() => new() { ["type"] = "ByteLevel", ["add_prefix_space"] = false, ["trim_offsets"] = true, ["use_regex"] = true };
        return new JsonObject
        {
            ["version"] = "1.0",
            ["added_tokens"] = new JsonArray(),
            ["normalizer"] = null,
            ["pre_tokenizer"] = ByteLevel(),
            ["post_processor"] = null,
            ["decoder"] = ByteLevel(),
            ["model"] = new JsonObject { ["type"] = "BPE", ["vocab"] = tokens, ["merges"] = new JsonArray() },
        };
    }

    private static IEnumerable<(string Name, int[] Shape)> Tensors(Shape shape)
    {
        int keys = shape.Hidden / shape.Heads * shape.KvHeads;
        yield return ("model.embed_tokens.weight", [shape.Vocabulary, shape.Hidden]);
        yield return ("model.norm.weight", [shape.Hidden]);
        if (!shape.IsTied) yield return ("lm_head.weight", [shape.Vocabulary, shape.Hidden]);
        for (int layer = 0; layer < shape.Layers; layer++)
        {
            string prefix = $"model.layers.{layer}.";
            yield return (prefix + "input_layernorm.weight", [shape.Hidden]);
            yield return (prefix + "post_attention_layernorm.weight", [shape.Hidden]);
            yield return (prefix + "self_attn.q_proj.weight", [shape.Hidden, shape.Hidden]);
            yield return (prefix + "self_attn.k_proj.weight", [keys, shape.Hidden]);
            yield return (prefix + "self_attn.v_proj.weight", [keys, shape.Hidden]);
            yield return (prefix + "self_attn.o_proj.weight", [shape.Hidden, shape.Hidden]);
            yield return (prefix + "mlp.gate_proj.weight", [shape.Ffn, shape.Hidden]);
            yield return (prefix + "mlp.up_proj.weight", [shape.Ffn, shape.Hidden]);
            yield return (prefix + "mlp.down_proj.weight", [shape.Hidden, shape.Ffn]);
        }
    }

    private static long WriteWeights(string path, Shape shape, bool isBf16, int seed)
    {
        int elementBytes = isBf16 ? 2 : 4;
        var header = new JsonObject { ["__metadata__"] = new JsonObject { ["format"] = "pt" } };
        long offset = 0;
        foreach ((string name, int[] dims) in Tensors(shape))
        {
            long end = offset + (dims.Aggregate(1L, (product, d) => product * d) * elementBytes);
            header[name] = new JsonObject
            {
                ["dtype"] = isBf16 ? "BF16" : "F32",
                ["shape"] = new JsonArray([.. dims.Select(d => (JsonNode)d)]),
                ["data_offsets"] = new JsonArray(offset, end),
            };
            offset = end;
        }

        byte[] json = Encoding.UTF8.GetBytes(header.ToJsonString(new JsonSerializerOptions { WriteIndented = false }));
        int padding = -json.Length & 7;
        using var file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 20);
        Span<byte> length = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, json.Length + padding);
        file.Write(length);
        file.Write(json);
        file.Write("        "u8[..padding]);
        var random = new RandomWeights((ulong)seed);
        byte[] row = [];
        foreach ((_, int[] dims) in Tensors(shape))
        {
            int columns = dims[^1], rows = dims.Length == 2 ? dims[0] : 1;
            if (row.Length != columns * elementBytes) row = new byte[columns * elementBytes];
            float scale = dims.Length == 2 ? 1 / MathF.Sqrt(columns) : 0.1f, mean = dims.Length == 2 ? 0 : 1;
            for (int r = 0; r < rows; r++)
            {
                random.Fill(row, isBf16, mean, scale);
                file.Write(row);
            }
        }

        return offset;
    }

    /// <summary>Nearly normal numbers: the sum of four uniform ones from the bytes of a SplitMix64 word pair.</summary>
    private sealed class RandomWeights(ulong state)
    {
        public void Fill(Span<byte> target, bool isBf16, float mean, float scale)
        {
            int elementBytes = isBf16 ? 2 : 4;
            for (int i = 0; i < target.Length; i += elementBytes)
            {
                ulong word = Next();
                float sum = (word & 0xFFFF) + ((word >> 16) & 0xFFFF) + ((word >> 32) & 0xFFFF) + (word >> 48);

                // Four uniform numbers in [0, 65535] have variance 65536² / 3.
                float value = mean + (scale * (sum - 131070f) * (1.7320508f / 65536f));
                uint bits = BitConverter.SingleToUInt32Bits(value);
                if (isBf16) BinaryPrimitives.WriteUInt16LittleEndian(target[i..], (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16));
                else BinaryPrimitives.WriteUInt32LittleEndian(target[i..], bits);
            }
        }

        private ulong Next()
        {
            state += 0x9E3779B97F4A7C15;
            ulong z = state;
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
            return z ^ (z >> 31);
        }
    }
}
