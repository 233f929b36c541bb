using System.Text.Json.Nodes;
using Benchmark;

namespace Rocm.Inference.Golden.Session;

/// <summary>A Llama of 100 M random bf16 weights in a temporary folder: enough to see weights in the memory of the process.</summary>
public sealed class LargeModel : IDisposable
{
    private readonly SessionFolder _folder = SessionFolder.Empty();

    public LargeModel()
    {
        const int Hidden = 1024;
        var config = new JsonObject
        {
            ["architectures"] = new JsonArray("LlamaForCausalLM"), ["model_type"] = "llama", ["vocab_size"] = 256, ["hidden_size"] = Hidden,
            ["intermediate_size"] = 4096, ["num_hidden_layers"] = 6, ["num_attention_heads"] = Hidden / 64, ["num_key_value_heads"] = Hidden / 64,
            ["max_position_embeddings"] = 4096, ["rms_norm_eps"] = 1e-5, ["hidden_act"] = "silu",
        };
        string file = _folder.File("shape.json");
        File.WriteAllText(file, config.ToJsonString());
        WeightBytes = new RandomModel(file, DType.BF16, seed: 1).WriteTo(_folder.Path, _ => { }, CancellationToken.None);
    }

    public string Path => _folder.Path;

    /// <summary>Bytes of the weights in the file.</summary>
    public long WeightBytes { get; }

    public void Dispose() => _folder.Dispose();
}
