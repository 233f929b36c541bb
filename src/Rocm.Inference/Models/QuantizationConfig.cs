namespace Rocm.Inference.Models;

/// <summary>How a checkpoint's matrices are stored.</summary>
internal enum WeightQuantization
{
    /// <summary>As plain floats.</summary>
    None,

    /// <summary>8-bit floats in blocks of 128 × 128 with a scale each, *.weight_scale_inv; matrices without are plain (DeepSeek, Qwen3-FP8).</summary>
    BlockFp8,

    /// <summary>Experts in MXFP4, everything else plain (gpt-oss).</summary>
    Mxfp4,
}

/// <summary>
/// Reads quantization_config. How activations were quantized in the original program does not matter here: they stay in
/// <see cref="IDevice.ActivationDType"/>, which is at least as exact.
/// </summary>
internal static class QuantizationConfig
{
    /// <summary>Rows and columns of a block of <see cref="WeightQuantization.BlockFp8"/>.</summary>
    public const int BlockSize = 128;

    private const string Known = "no quantization, fp8 with weight_block_size [128, 128], or mxfp4 for gpt-oss";

    /// <exception cref="ModelLoadException">A method that is not supported.</exception>
    public static WeightQuantization Read(ConfigSection root, DecoderSpec decoder)
    {
        ConfigSection? found = root.OptionalSection("quantization_config") ?? root.OptionalSection("text_config")?.OptionalSection("quantization_config");
        if (found is not { } section)
        {
            return root.Element("compression_config") is null
                ? WeightQuantization.None : throw root.Bad("compression_config", Known, "a quantization of another kind");
        }

        string method = section.OptionalString("quant_method") ?? throw section.Bad("quant_method", Known, "nothing");
        switch (method)
        {
            case "fp8":
                CheckBlocks(section);
                return WeightQuantization.BlockFp8;
            case "mxfp4" when decoder.Layers.Any(layer => layer.Mlp is MoeSpec { Naming: MoeNaming.GptOss }):
                return WeightQuantization.Mxfp4;
            default:
                throw section.Bad("quant_method", Known, method);
        }
    }

    private static void CheckBlocks(ConfigSection section)
    {
        IReadOnlyList<double> blocks = section.OptionalNumbers("weight_block_size", 2, 1, 1 << 20)
            ?? throw section.Bad("weight_block_size", "[128, 128]", "nothing: fp8 with one scale for a whole matrix is not supported");
        if (blocks.Count != 2 || blocks[0] != BlockSize || blocks[1] != BlockSize)
            throw section.Bad("weight_block_size", "[128, 128]", $"[{string.Join(", ", blocks)}]");
    }
}
