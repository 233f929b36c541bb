using System.Text.Json.Nodes;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Golden.Session;

/// <summary>A Llama of 100 M random bf16 weights in a temporary folder: enough to see weights in the memory of the process.</summary>
public sealed class RandomModel : IDisposable
{
    private readonly SessionFolder _folder = SessionFolder.Empty();

    public RandomModel() => WeightBytes = WriteModel(_folder);

    public string Path => _folder.Path;

    /// <summary>Bytes of the weights in the file.</summary>
    public long WeightBytes { get; }

    public void Dispose() => _folder.Dispose();

    private static long WriteModel(SessionFolder folder)
    {
        const int VocabSize = 256, NumLayers = 6, Hidden = 1024, Intermediate = 4096;
        var tensors = new List<GoldenTensor> { Matrix("model.embed_tokens.weight", VocabSize, Hidden), Matrix("lm_head.weight", VocabSize, Hidden), Vector("model.norm.weight") };
        for (int layer = 0; layer < NumLayers; layer++)
        {
            string prefix = $"model.layers.{layer}.";
            foreach (string name in (string[])["q", "k", "v", "o"]) tensors.Add(Matrix($"{prefix}self_attn.{name}_proj.weight", Hidden, Hidden));
            tensors.Add(Matrix($"{prefix}mlp.gate_proj.weight", Intermediate, Hidden));
            tensors.Add(Matrix($"{prefix}mlp.up_proj.weight", Intermediate, Hidden));
            tensors.Add(Matrix($"{prefix}mlp.down_proj.weight", Hidden, Intermediate));
            tensors.Add(Vector($"{prefix}input_layernorm.weight"));
            tensors.Add(Vector($"{prefix}post_attention_layernorm.weight"));
        }

        float[] pattern = new TestRandom(1).Floats(65_537, 0.02);
        var config = new JsonObject
        {
            ["architectures"] = new JsonArray("LlamaForCausalLM"), ["model_type"] = "llama", ["torch_dtype"] = "bfloat16", ["vocab_size"] = VocabSize,
            ["hidden_size"] = Hidden, ["intermediate_size"] = Intermediate, ["num_hidden_layers"] = NumLayers, ["num_attention_heads"] = Hidden / 64,
            ["num_key_value_heads"] = Hidden / 64, ["max_position_embeddings"] = 4096, ["rms_norm_eps"] = 1e-5, ["hidden_act"] = "silu",
        };
        File.WriteAllText(folder.File("config.json"), config.ToJsonString());
        ByteTokenizer.WriteTo(folder.Path);
        return GoldenSafetensors.Write(folder.File("model.safetensors"), GoldenWeights.BFloat16, tensors, Values);

        GoldenTensor Matrix(string name, int rows, int columns) => new(name, [rows, columns], 1, 0);
        GoldenTensor Vector(string name) => new(name, [Hidden], 1, 0);

        float[] Values(GoldenTensor tensor)
        {
            var values = new float[tensor.ElementCount];
            for (int start = 0; start < values.Length; start += pattern.Length)
                pattern.AsSpan(0, Math.Min(pattern.Length, values.Length - start)).CopyTo(values.AsSpan(start));
            return values;
        }
    }
}
