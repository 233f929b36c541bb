using System.Text.Json.Nodes;

namespace Rocm.Inference.TestKit;

/// <summary>
/// A random-weight checkpoint of a golden one's architecture with widths that need several blocks of scales, written as plain floats or in few bits; both
/// forms hold the same numbers.
/// </summary>
internal sealed class SyntheticCheckpoint
{
    private readonly JsonObject _config;
    private readonly List<GoldenTensor> _tensors = [];
    private readonly ulong _seed;

    private SyntheticCheckpoint(string golden, ulong seed, params (string Key, int Value)[] widths)
    {
        _seed = seed;
        _config = JsonNode.Parse(File.ReadAllBytes(Path.Combine(GoldenCheckpoint.ModelsFolder, golden, "config.json")))!.AsObject();
        foreach ((string key, int value) in widths) _config[key] = value;
    }

    private int Hidden => Int("hidden_size");

    private int Heads => Int("num_attention_heads");

    /// <summary>DeepSeek V3: one dense layer, two of 4 experts; no width is a multiple of 128.</summary>
    public static SyntheticCheckpoint DeepSeekV3(ulong seed) => DeepSeekV3(
        seed, ("hidden_size", 192), ("intermediate_size", 208), ("moe_intermediate_size", 144), ("n_routed_experts", 4), ("n_group", 2), ("topk_group", 1),
        ("num_experts_per_tok", 2), ("q_lora_rank", 136), ("kv_lora_rank", 160), ("qk_nope_head_dim", 40), ("qk_rope_head_dim", 16), ("v_head_dim", 48));

    /// <summary>The same with experts of whole blocks of scales, beside a shared one, and latent rows of the width that published models have.</summary>
    public static SyntheticCheckpoint DeepSeekV3OfWholeBlocks(ulong seed) => DeepSeekV3(
        seed, ("hidden_size", 512), ("intermediate_size", 256), ("moe_intermediate_size", 128), ("n_routed_experts", 4), ("n_group", 2), ("topk_group", 1),
        ("num_experts_per_tok", 2), ("q_lora_rank", 128), ("kv_lora_rank", 512), ("qk_nope_head_dim", 64), ("qk_rope_head_dim", 64), ("v_head_dim", 64));

    /// <summary>Qwen 3 without experts; no width is a multiple of 128.</summary>
    public static SyntheticCheckpoint Qwen3(ulong seed) => Qwen3(seed, hidden: 192, intermediate: 272, headDim: 48);

    /// <summary>Qwen 3 without experts, of whole blocks of scales.</summary>
    public static SyntheticCheckpoint Qwen3OfWholeBlocks(ulong seed) => Qwen3(seed, hidden: 256, intermediate: 384, headDim: 64);

    private static SyntheticCheckpoint DeepSeekV3(ulong seed, params (string Key, int Value)[] widths)
    {
        var checkpoint = new SyntheticCheckpoint("deepseek-v3", seed, widths);
        checkpoint.Ends();
        for (int layer = 0; layer < checkpoint.Int("num_hidden_layers"); layer++) checkpoint.DeepSeekLayer($"model.layers.{layer}.", dense: layer == 0);
        return checkpoint;
    }

    private static SyntheticCheckpoint Qwen3(ulong seed, int hidden, int intermediate, int headDim)
    {
        var checkpoint = new SyntheticCheckpoint("qwen3", seed, ("hidden_size", hidden), ("intermediate_size", intermediate), ("head_dim", headDim));
        checkpoint._config["tie_word_embeddings"] = false;
        checkpoint.Ends();
        for (int layer = 0; layer < checkpoint.Int("num_hidden_layers"); layer++) checkpoint.Qwen3Layer($"model.layers.{layer}.");
        return checkpoint;
    }

    /// <summary>Qwen 3 with 8 experts of whole blocks.</summary>
    public static SyntheticCheckpoint Qwen3Moe(ulong seed)
    {
        var checkpoint = new SyntheticCheckpoint(
            "qwen3-moe", seed, ("hidden_size", 512), ("intermediate_size", 256), ("moe_intermediate_size", 256), ("head_dim", 64), ("num_experts_per_tok", 2));
        checkpoint.Ends();
        for (int layer = 0; layer < checkpoint.Int("num_hidden_layers"); layer++) checkpoint.Qwen3MoeLayer($"model.layers.{layer}.");
        return checkpoint;
    }

    /// <summary>Writes the checkpoint with its layers' projections in blocks of 8-bit floats to one folder, and the numbers that this gives as F32 to another.</summary>
    /// <param name="quantized">Receives the 8-bit form.</param>
    /// <param name="plain">Receives the plain form.</param>
    /// <param name="dtype">An 8-bit float.</param>
    /// <param name="scaleType">BF16 or F32.</param>
    public void WriteBlockFp8(string quantized, string plain, DType dtype = DType.F8E4M3Fn, DType scaleType = DType.F32)
    {
        var small = new List<RawTensor>();
        var reference = new List<RawTensor>();
        foreach (GoldenTensor tensor in _tensors)
        {
            float[] values = GoldenWeightGenerator.Generate(tensor, _seed);
            if (!IsQuantized(tensor))
            {
                // As published: what is not quantized is bf16.
                RawTensor kept = RawTensor.BF16(tensor.Name, tensor.Shape, values);
                small.Add(kept);
                reference.Add(kept);
                continue;
            }

            (RawTensor weight, RawTensor scales, float[] meant) =
                WeightQuantizer.BlockFp8(tensor.Name, (int)tensor.Shape[0], (int)tensor.Shape[1], values, dtype, scaleType);
            small.Add(weight);
            small.Add(scales);
            reference.Add(RawTensor.F32(tensor.Name, tensor.Shape, meant));
        }

        Write(plain, _config, reference);
        JsonObject config = _config.DeepClone().AsObject();
        config["quantization_config"] = JsonNode.Parse("""{"activation_scheme":"dynamic","fmt":"e4m3","quant_method":"fp8","weight_block_size":[128,128]}""");
        Write(quantized, config, small);
    }

    private static void Write(string folder, JsonObject config, List<RawTensor> tensors)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "config.json"), config.ToJsonString());
        RawSafetensors.Write(Path.Combine(folder, "model.safetensors"), tensors);
    }

    private static bool IsQuantized(GoldenTensor tensor) =>
        tensor.Shape.Length == 2 && tensor.Name.Contains("_proj", StringComparison.Ordinal);

    private int Int(string key) => _config[key]!.GetValue<int>();

    private void Ends()
    {
        Add("model.embed_tokens.weight", [Int("vocab_size"), Hidden], 1);
        Matrix("lm_head", Int("vocab_size"), Hidden);
        Norm("model.norm", Hidden);
    }

    private void Qwen3Layer(string prefix)
    {
        Qwen3Attention(prefix);
        Mlp(prefix + "mlp.", Int("intermediate_size"));
    }

    private void Qwen3MoeLayer(string prefix)
    {
        Qwen3Attention(prefix);
        Matrix(prefix + "mlp.gate", Int("num_experts"), Hidden);
        for (int e = 0; e < Int("num_experts"); e++) Mlp($"{prefix}mlp.experts.{e}.", Int("moe_intermediate_size"));
    }

    private void Qwen3Attention(string prefix)
    {
        int head = Int("head_dim"), kv = Int("num_key_value_heads") * head;
        Norms(prefix);
        Matrix(prefix + "self_attn.q_proj", Heads * head, Hidden);
        Matrix(prefix + "self_attn.k_proj", kv, Hidden);
        Matrix(prefix + "self_attn.v_proj", kv, Hidden);
        Matrix(prefix + "self_attn.o_proj", Hidden, Heads * head);
        Norm(prefix + "self_attn.q_norm", head);
        Norm(prefix + "self_attn.k_norm", head);
    }

    private void DeepSeekLayer(string prefix, bool dense)
    {
        int nope = Int("qk_nope_head_dim"), rope = Int("qk_rope_head_dim"), value = Int("v_head_dim"), latent = Int("kv_lora_rank"), query = Int("q_lora_rank");
        int size = Int("moe_intermediate_size"), experts = Int("n_routed_experts");
        Norms(prefix);
        Matrix(prefix + "self_attn.q_a_proj", query, Hidden);
        Norm(prefix + "self_attn.q_a_layernorm", query);
        Matrix(prefix + "self_attn.q_b_proj", Heads * (nope + rope), query);
        Matrix(prefix + "self_attn.kv_a_proj_with_mqa", latent + rope, Hidden);
        Norm(prefix + "self_attn.kv_a_layernorm", latent);
        Matrix(prefix + "self_attn.kv_b_proj", Heads * (nope + value), latent);
        Matrix(prefix + "self_attn.o_proj", Hidden, Heads * value);
        if (dense)
        {
            Mlp(prefix + "mlp.", Int("intermediate_size"));
            return;
        }

        Matrix(prefix + "mlp.gate", experts, Hidden);
        Add(prefix + "mlp.gate.e_score_correction_bias", [experts], 0.2);
        for (int e = 0; e < experts; e++) Mlp($"{prefix}mlp.experts.{e}.", size);
        Mlp(prefix + "mlp.shared_experts.", size);
    }

    private void Norms(string prefix)
    {
        Norm(prefix + "input_layernorm", Hidden);
        Norm(prefix + "post_attention_layernorm", Hidden);
    }

    private void Mlp(string prefix, int size)
    {
        Matrix(prefix + "gate_proj", size, Hidden);
        Matrix(prefix + "up_proj", size, Hidden);
        Matrix(prefix + "down_proj", Hidden, size);
    }

    // Keeps the variance of what goes through.
    private void Matrix(string name, int rows, int columns) => Add(name + ".weight", [rows, columns], Math.Sqrt(3.0 / columns));

    private void Norm(string name, int length) => _tensors.Add(new GoldenTensor(name + ".weight", [length], 0.1, 1));

    private void Add(string name, long[] shape, double scale) => _tensors.Add(new GoldenTensor(name, shape, scale, 0));
}
