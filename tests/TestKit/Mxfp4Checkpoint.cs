using System.Text.Json.Nodes;

namespace Rocm.Inference.TestKit;

/// <summary>The golden gpt-oss with its experts in MXFP4, and the plain checkpoint of the numbers that this gives.</summary>
internal static class Mxfp4Checkpoint
{
    private const int NumExperts = 4, Hidden = 64, Size = 96;

    /// <summary>Writes both forms.</summary>
    /// <param name="quantized">Folder of the MXFP4 form.</param>
    /// <param name="plain">Folder of the plain form, or null.</param>
    /// <returns>What the experts of layer 0 hold: gate and up [E, 2F, hidden], down [E, hidden, F].</returns>
    public static (float[] GateUp, float[] Down) Write(string quantized, string? plain)
    {
        GoldenCheckpoint golden = GoldenCheckpoint.Load("gpt-oss");
        var small = new List<RawTensor>();
        var reference = new List<RawTensor>();
        float[] gateUp = [], down = [];
        foreach (GoldenTensor tensor in golden.Tensors)
        {
            float[] values = golden.Generate(tensor);
            bool isGateUp = tensor.Name.EndsWith("gate_up_proj", StringComparison.Ordinal);
            if (!isGateUp && !tensor.Name.EndsWith("experts.down_proj", StringComparison.Ordinal))
            {
                RawTensor kept = RawTensor.F32(tensor.Name, tensor.Shape, values);
                small.Add(kept);
                reference.Add(kept);
                continue;
            }

            // Plain experts lie transposed, [inputs, outputs].
            (int rows, int columns) = isGateUp ? (2 * Size, Hidden) : (Hidden, Size);
            (RawTensor blocks, RawTensor scales, float[] meant) =
                WeightQuantizer.Mxfp4(tensor.Name, NumExperts, rows, columns, WeightQuantizer.Transpose(values, NumExperts, columns, rows));
            small.Add(blocks);
            small.Add(scales);
            reference.Add(RawTensor.F32(tensor.Name, tensor.Shape, WeightQuantizer.Transpose(meant, NumExperts, rows, columns)));
            if (tensor.Name.Contains("layers.0.", StringComparison.Ordinal)) (gateUp, down) = isGateUp ? (meant, down) : (gateUp, meant);
        }

        string config = File.ReadAllText(Path.Combine(GoldenCheckpoint.ModelsFolder, "gpt-oss", "config.json"));
        JsonObject quantizedConfig = JsonNode.Parse(config)!.AsObject();
        quantizedConfig["quantization_config"] = JsonNode.Parse(
            """{"modules_to_not_convert":["model.layers.*.self_attn","model.layers.*.mlp.router","model.embed_tokens","lm_head"],"quant_method":"mxfp4"}""");
        Write(quantized, quantizedConfig.ToJsonString(), small);
        if (plain is not null) Write(plain, config, reference);
        return (gateUp, down);
    }

    private static void Write(string folder, string config, List<RawTensor> tensors)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "config.json"), config);
        RawSafetensors.Write(Path.Combine(folder, "model.safetensors"), tensors);
    }
}
