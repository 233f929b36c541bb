using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Rocm.Inference.Devices;

namespace Rocm.Inference.TestKit;

/// <summary>
/// DeepSeek V3 and gpt-oss in double precision from the formulas of their papers, one token after the other: for checkpoints that no other program has
/// computed. Reads plain weights; shares no code with the library.
/// </summary>
internal sealed class OracleDecoder
{
    private readonly JsonObject _config;
    private readonly Dictionary<string, double[]> _tensors;
    private readonly bool _isLatent;

    /// <param name="folder">A model folder with F32 or BF16 weights.</param>
    public OracleDecoder(string folder)
    {
        _config = JsonNode.Parse(File.ReadAllBytes(Path.Combine(folder, "config.json")))!.AsObject();
        _isLatent = _config["model_type"]!.GetValue<string>() == "deepseek_v3";
        _tensors = RawSafetensors.Read(Path.Combine(folder, "model.safetensors")).ToDictionary(tensor => tensor.Name, Values);
    }

    private int Hidden => Int("hidden_size");

    private int Heads => Int("num_attention_heads");

    private double Eps => _config["rms_norm_eps"]!.GetValue<double>();

    /// <summary>Logits after every token.</summary>
    public double[][] Logits(int[] tokens)
    {
        double[] embeddings = _tensors["model.embed_tokens.weight"];
        double[][] hidden = [.. tokens.Select(token => embeddings[(token * Hidden)..((token + 1) * Hidden)])];
        for (int layer = 0; layer < Int("num_hidden_layers"); layer++)
        {
            string prefix = $"model.layers.{layer}.";
            double[][] x = [.. hidden.Select(h => Norm(h, prefix + "input_layernorm"))];
            double[][] attended = _isLatent ? Latent(x, prefix + "self_attn.") : WithSinks(x, prefix + "self_attn.", Window(layer));
            for (int t = 0; t < hidden.Length; t++)
            {
                hidden[t] = Add(hidden[t], attended[t]);
                double[] normalised = Norm(hidden[t], prefix + "post_attention_layernorm");
                hidden[t] = Add(hidden[t], _isLatent ? DeepSeekMlp(normalised, prefix + "mlp.", layer) : GptOssExperts(normalised, prefix + "mlp."));
            }
        }

        return [.. hidden.Select(h => Linear("lm_head", Norm(h, "model.norm")))];
    }

    private double[][] Latent(double[][] x, string prefix)
    {
        int nope = Int("qk_nope_head_dim"), rope = Int("qk_rope_head_dim"), value = Int("v_head_dim"), latent = Int("kv_lora_rank");
        OracleYarn yarn = OracleYarn.Read(_config, rope);
        double scale = yarn.LatentFactor / Math.Sqrt(nope + rope);
        var queries = new double[x.Length][];
        var keysAndValues = new double[x.Length][];
        var rotaryKeys = new double[x.Length][];
        for (int t = 0; t < x.Length; t++)
        {
            queries[t] = Linear(prefix + "q_b_proj", Norm(Linear(prefix + "q_a_proj", x[t]), prefix + "q_a_layernorm", 1e-6));
            double[] down = Linear(prefix + "kv_a_proj_with_mqa", x[t]);
            keysAndValues[t] = Linear(prefix + "kv_b_proj", Norm(down[..latent], prefix + "kv_a_layernorm", 1e-6));
            rotaryKeys[t] = yarn.Rotate(down[latent..], t, interleaved: true);
        }

        return [.. x.Select((_, t) =>
        {
            var heads = new List<double>();
            for (int h = 0; h < Heads; h++)
            {
                double[] q = queries[t][(h * (nope + rope))..((h + 1) * (nope + rope))];
                double[] rotated = yarn.Rotate(q[nope..], t, interleaved: true);
                int start = h * (nope + value);
                double[] scores = [.. Enumerable.Range(0, t + 1).Select(s =>
                    scale * (Dot(q[..nope], keysAndValues[s][start..(start + nope)]) + Dot(rotated, rotaryKeys[s])))];
                heads.AddRange(Weighted(scores, sink: null, s => keysAndValues[s][(start + nope)..(start + nope + value)]));
            }

            return Linear(prefix + "o_proj", [.. heads]);
        })];
    }

    private double[][] WithSinks(double[][] x, string prefix, int? window)
    {
        int dim = Int("head_dim"), ratio = Heads / Int("num_key_value_heads");
        OracleYarn yarn = OracleYarn.Read(_config, dim);
        double[][] queries = Rotated("q_proj"), keys = Rotated("k_proj");
        double[][] values = [.. x.Select(row => Linear(prefix + "v_proj", row))];
        double[] sinks = _tensors[prefix + "sinks"];
        return [.. x.Select((_, t) =>
        {
            int first = window is { } w ? Math.Max(0, t - w + 1) : 0;
            var heads = new List<double>();
            for (int h = 0; h < Heads; h++)
            {
                double[] q = Head(queries[t], h);
                double[] scores = [.. Enumerable.Range(first, t + 1 - first).Select(s => Dot(q, Head(keys[s], h / ratio)) / Math.Sqrt(dim))];
                heads.AddRange(Weighted(scores, sinks[h], s => Head(values[first + s], h / ratio)));
            }

            return Linear(prefix + "o_proj", [.. heads]);
        })];

        double[] Head(double[] row, int head) => row[(head * dim)..((head + 1) * dim)];

        double[][] Rotated(string name) => [.. x.Select((row, t) =>
        {
            double[] all = Linear(prefix + name, row);
            return Enumerable.Range(0, all.Length / dim).SelectMany(h => yarn.Rotate(Head(all, h), t, interleaved: false)).ToArray();
        })];
    }

    private int? Window(int layer) => _config["layer_types"]![layer]!.GetValue<string>() == "sliding_attention" ? Int("sliding_window") : null;

    private double[] DeepSeekMlp(double[] x, string prefix, int layer)
    {
        if (layer < Int("first_k_dense_replace")) return Gated(x, prefix);
        var rule = new MoeRouting
        {
            NumExperts = Int("n_routed_experts"), TopK = Int("num_experts_per_tok"), Scoring = MoeScoring.Sigmoid, Normalizes = true,
            ScalingFactor = _config["routed_scaling_factor"]!.GetValue<float>(), NumGroups = Int("n_group"), TopKGroups = Int("topk_group"),
            GroupScore = MoeGroupScore.SumOfTwoBest,
        };
        float[] bias = [.. _tensors[prefix + "gate.e_score_correction_bias"].Select(value => (float)value)];
        (int[] experts, double[] weights) = OracleMoe.Route(rule, [.. Linear(prefix + "gate", x).Select(logit => (float)logit)], bias);
        double[] y = Gated(x, prefix + "shared_experts.");
        for (int k = 0; k < experts.Length; k++)
            y = Add(y, [.. Gated(x, $"{prefix}experts.{experts[k]}.").Select(value => value * weights[k])]);
        return y;
    }

    private double[] Gated(double[] x, string prefix)
    {
        double[] gate = Linear(prefix + "gate_proj", x), up = Linear(prefix + "up_proj", x);
        return Linear(prefix + "down_proj", [.. gate.Zip(up, (g, u) => OracleOps.Silu(g) * u)]);
    }

    private double[] GptOssExperts(double[] x, string prefix)
    {
        int size = Int("intermediate_size");
        var rule = new MoeRouting { NumExperts = Int("num_local_experts"), TopK = Int("num_experts_per_tok"), Scoring = MoeScoring.SoftmaxOfChosen };
        (int[] experts, double[] weights) = OracleMoe.Route(rule, [.. Linear(prefix + "router", x).Select(logit => (float)logit)], choiceBias: null);
        double[] y = new double[Hidden];
        for (int k = 0; k < experts.Length; k++)
        {
            int e = experts[k];
            double[] both = Transposed(prefix + "experts.gate_up_proj", e, x, 2 * size);
            double[] gated = [.. Enumerable.Range(0, size).Select(i =>
                OracleMoe.ClampedSwiGlu(both[2 * i], both[(2 * i) + 1], _config["swiglu_limit"]!.GetValue<double>()))];
            y = Add(y, [.. Transposed(prefix + "experts.down_proj", e, gated, Hidden).Select(value => value * weights[k])]);
        }

        return y;
    }

    /// <summary>x · W_e + b_e of a tensor [E, inputs, outputs].</summary>
    private double[] Transposed(string name, int expert, double[] x, int outputs)
    {
        double[] weight = _tensors[name], y = _tensors[name + "_bias"][(expert * outputs)..((expert + 1) * outputs)];
        for (int i = 0; i < x.Length; i++)
        {
            int row = ((expert * x.Length) + i) * outputs;
            for (int o = 0; o < outputs; o++) y[o] += x[i] * weight[row + o];
        }

        return y;
    }

    private double[] Linear(string name, double[] x)
    {
        double[] weight = _tensors[name + ".weight"];
        _tensors.TryGetValue(name + ".bias", out double[]? bias);
        var y = new double[weight.Length / x.Length];
        for (int o = 0; o < y.Length; o++)
        {
            double sum = bias is null ? 0 : bias[o];
            for (int i = 0; i < x.Length; i++) sum += x[i] * weight[(o * x.Length) + i];
            y[o] = sum;
        }

        return y;
    }

    private double[] Norm(double[] x, string name, double? eps = null) =>
        OracleOps.RmsNorm(x, [.. _tensors[name + ".weight"].Select(value => (float)value)], eps ?? Eps, offset: 0);

    private int Int(string key) => _config[key]!.GetValue<int>();

    private static double[] Weighted(double[] scores, double? sink, Func<int, double[]> value)
    {
        double max = Math.Max(scores.Max(), sink ?? double.NegativeInfinity);
        double denominator = scores.Sum(score => Math.Exp(score - max)) + (sink is { } logit ? Math.Exp(logit - max) : 0);
        var sum = new double[value(0).Length];
        for (int s = 0; s < scores.Length; s++) sum = Add(sum, [.. value(s).Select(v => v * Math.Exp(scores[s] - max) / denominator)]);
        return sum;
    }

    private static double Dot(double[] a, double[] b) => a.Zip(b, (x, y) => x * y).Sum();

    private static double[] Add(double[] a, double[] b) => [.. a.Zip(b, (x, y) => x + y)];

    private static double[] Values(RawTensor tensor) => tensor.DType == "F32"
        ? [.. MemoryMarshal.Cast<byte, float>(tensor.Data).ToArray().Select(value => (double)value)]
        : [.. MemoryMarshal.Cast<byte, ushort>(tensor.Data).ToArray().Select(bits => OracleNumbers.Decode(DType.BF16, bits))];
}
