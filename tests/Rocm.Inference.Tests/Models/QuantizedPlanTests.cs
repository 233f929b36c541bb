using Rocm.Inference.Devices;
using Rocm.Inference.Models;
using Rocm.Inference.Models.Weights;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Tests.Models;

/// <summary>Checkpoints of few bits: what is found, what is refused, how much memory is planned.</summary>
public sealed class QuantizedPlanTests : IDisposable
{
    private const string QueryName = "model.layers.1.self_attn.q_b_proj.weight";
    private readonly CheckpointFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(DType.F8E4M3Fn, DType.F32)]
    [InlineData(DType.F8E4M3Fnuz, DType.F32)]
    [InlineData(DType.F8E5M2, DType.BF16)]
    public void Blocks_of_8_bit_floats_stay_what_they_are(DType dtype, DType scaleType)
    {
        using DecoderPlan plan = DeepSeek(dtype, scaleType);

        Assert.Empty(plan.UnusedTensors);
        Assert.Equal(dtype, plan.WeightDType);
        WeightSource queryUp = Assert.IsType<MlaSources>(plan.Sources.Layers[0].Attention).QueryUp!.Value;
        WeightMatrix matrix = queryUp.Parts.Span[0];
        Assert.Equal((dtype, 4 * 56, 136), (matrix.DType, matrix.Rows, matrix.Columns));
        Assert.True(matrix.Scales is { BlockRows: 128, BlockColumns: 128 } scales && scales.DType == scaleType);
        Assert.Equal(2 * scaleType.ByteSize(), matrix.Scales.RowStrideBytes);
        Assert.Equal((224 * 136) + (2 * 2 * scaleType.ByteSize()), DecoderSources.BytesOf(queryUp));

        // Matrices and scales of the file, and kv_b_proj [352, 160] of three layers with 3 × 2 scales a second time.
        using ModelWeights weights = ModelWeights.Open(Path.Combine(_folder.Path, "fp8"));
        long file = Names("fp8").Select(name => weights.Find(name)!).Where(tensor => tensor.Shape.Count == 2).Sum(tensor => tensor.ByteCount);
        Assert.Equal(file + (3 * ((352 * 160) + (3 * 2 * scaleType.ByteSize()))), plan.MatrixBytes);
    }

    [Theory]
    [InlineData(40, 48, DType.F8E4M3Fn)]
    [InlineData(60, 28, DType.BF16)]
    public void The_latent_projection_is_cut_into_heads_and_transposed_for_absorption_and_widened_only_where_a_scale_ends_within_a_heads_rows(int nope, int v, DType dtype)
    {
        using DecoderPlan quantized = DeepSeek();
        using DecoderPlan plain = Plan("plain");
        MlaSpec spec = Assert.IsType<MlaSpec>(quantized.Config.Decoder.Layers[1].Attention) with { QkNopeHeadDim = nope, VHeadDim = v };
        WeightMatrix expected = Assert.IsType<MlaSources>(plain.Sources.Layers[1].Attention).LatentUp;
        var projection = new LatentProjection(spec, Assert.IsType<MlaSources>(quantized.Sources.Layers[1].Attention).LatentUp);

        WeightMatrix keyValue = Assert.Single(projection.KeyValue.Parts.ToArray());
        Assert.Equal((dtype, 4 * 88, 160), (keyValue.DType, keyValue.Rows, keyValue.Columns));
        float[] all = Elements(expected);
        if (dtype == DType.BF16) all = [.. all.Select(WeightQuantizer.ToBFloat16)];
        Assert.Equal(all, Elements(keyValue));
        for (int h = 0; h < 4; h++)
        {
            WeightMatrix absorb = projection.AbsorbQuery[h].Parts.Span[0];
            WeightMatrix value = projection.ProjectValue[h].Parts.Span[0];
            Assert.Equal((160, nope, v, 160), (absorb.Rows, absorb.Columns, value.Rows, value.Columns));
            float[] head = all[(h * 88 * 160)..((h + 1) * 88 * 160)];
            Assert.Equal(WeightQuantizer.Transpose(head[..(nope * 160)], 1, nope, 160), Elements(absorb));
            Assert.Equal(head[(nope * 160)..], Elements(value));
        }
    }

    [Theory]
    [InlineData(DType.F8E4M3Fn)]
    [InlineData(DType.F8E4M3Fnuz)]
    [InlineData(DType.F8E5M2)]
    public void Every_byte_of_an_8_bit_float_has_its_value(DType dtype)
    {
        float[] values = Float8Values.Of(dtype);
        for (uint bits = 0; bits < 256; bits++) Assert.Equal(OracleNumbers.Decode(dtype, bits), values[bits]);
    }

    [Theory]
    [InlineData("lacks a tensor", null, null)]
    [InlineData("another shape", "F32", "1, 2")]
    [InlineData("another shape", "F32", "2, 3")]
    [InlineData("another shape", "F32", "4")]
    [InlineData("element type", "F16", "2, 2")]
    [InlineData("element type", "U8", "2, 2")]
    public void Scales_that_are_missing_or_of_another_shape_or_type_are_refused(string problem, string? dtype, string? shape)
    {
        DeepSeek().Dispose();
        Rewrite("fp8", tensor =>
        {
            if (tensor.Name != QueryName + "_scale_inv") return tensor;
            if (dtype is null) return null;
            long[] dims = [.. shape!.Split(',').Select(long.Parse)];
            return new RawTensor(tensor.Name, dtype, dims, new byte[dims.Aggregate(1L, (a, b) => a * b) * (dtype == "F32" ? 4 : dtype == "F16" ? 2 : 1)]);
        });

        var e = Assert.Throws<ModelLoadException>(() => Plan("fp8"));
        Assert.Contains(problem, e.Message, StringComparison.Ordinal);
        Assert.Equal(QueryName + "_scale_inv", e.Tensor);
    }

    [Fact]
    public void A_matrix_that_was_left_plain_is_taken_plain()
    {
        DeepSeek().Dispose();
        Rewrite("fp8", tensor => tensor.Name == QueryName + "_scale_inv" ? null
            : tensor.Name == QueryName ? new RawTensor(tensor.Name, "BF16", tensor.Shape, new byte[tensor.Data.Length * 2]) : tensor);
        using DecoderPlan plan = Plan("fp8");

        Assert.Equal(DType.BF16, Assert.IsType<MlaSources>(plan.Sources.Layers[1].Attention).QueryUp!.Value.Parts.Span[0].DType);
        Assert.Empty(plan.UnusedTensors);
    }

    [Fact]
    public void Without_a_word_in_the_config_8_bit_floats_are_refused()
    {
        DeepSeek().Dispose();
        File.Copy(Path.Combine(_folder.Path, "plain", "config.json"), Path.Combine(_folder.Path, "fp8", "config.json"), overwrite: true);

        var e = Assert.Throws<ModelLoadException>(() => Plan("fp8"));
        Assert.Equal("F8_E4M3", e.Found);
    }

    [Theory]
    [InlineData("""{"quant_method":"gptq","bits":4}""", "gptq")]
    [InlineData("""{"quant_method":"awq"}""", "awq")]
    [InlineData("""{"quant_method":"bitsandbytes","load_in_8bit":true}""", "bitsandbytes")]
    [InlineData("""{"quant_method":"compressed-tensors","format":"pack-quantized"}""", "compressed-tensors")]
    [InlineData("""{"quant_method":"mxfp4"}""", "mxfp4")]
    [InlineData("""{"quant_method":"fp8","activation_scheme":"static"}""", "nothing: fp8 with one scale for a whole matrix is not supported")]
    [InlineData("""{"quant_method":"fp8","weight_block_size":[64,128]}""", "[64, 128]")]
    [InlineData("""{"quant_method":"fp8","weight_block_size":[128]}""", "[128]")]
    [InlineData("""{"bits":4}""", "nothing")]
    public void Other_quantizations_are_refused_by_name(string json, string found)
    {
        var e = Assert.Throws<ModelLoadException>(() => TinyLlama.Decoder(("quantization_config", json)));
        Assert.Equal(found, e.Found);
        Assert.StartsWith("quantization_config.", e.Tensor, StringComparison.Ordinal);
    }

    [Fact]
    public void Compression_config_is_refused_and_null_is_no_quantization()
    {
        Assert.Throws<ModelLoadException>(() => TinyLlama.Decoder(("compression_config", "{}")));
        Assert.Equal(WeightQuantization.None, TinyLlama.Decoder(("quantization_config", "null")).Quantization);
        Assert.Equal(WeightQuantization.BlockFp8, TinyLlama.Decoder(("quantization_config", """{"quant_method":"fp8","weight_block_size":[128,128]}""")).Quantization);
    }

    private DecoderPlan DeepSeek(DType dtype = DType.F8E4M3Fn, DType scaleType = DType.F32)
    {
        SyntheticCheckpoint.DeepSeekV3(seed: 3).WriteBlockFp8(Path.Combine(_folder.Path, "fp8"), Path.Combine(_folder.Path, "plain"), dtype, scaleType);
        return Plan("fp8");
    }

    private DecoderPlan Plan(string folder) => DecoderPlan.Create(
        ModelFolder.Open(Path.Combine(_folder.Path, folder)), new ModelRuntimeSettings(64, DType.BF16), DType.F32, ParallelContext.Single);

    private string[] Names(string folder) => [.. RawSafetensors.Read(Path.Combine(_folder.Path, folder, "model.safetensors")).Select(tensor => tensor.Name)];

    private void Rewrite(string folder, Func<RawTensor, RawTensor?> change)
    {
        string path = Path.Combine(_folder.Path, folder, "model.safetensors");
        RawTensor[] tensors = [.. RawSafetensors.Read(path).Select(change).OfType<RawTensor>()];
        File.Delete(path);
        RawSafetensors.Write(path, tensors);
    }

    private static unsafe float[] Elements(in WeightMatrix matrix)
    {
        int size = matrix.DType.ByteSize();
        long columnStride = matrix.ColumnStrideBytes == 0 ? size : matrix.ColumnStrideBytes;
        WeightScaleValues scales = WeightScaleValues.Of(matrix.Scales);
        var elements = new float[matrix.Rows * matrix.Columns];
        for (int i = 0; i < elements.Length; i++)
        {
            (int row, int column) = Math.DivRem(i, matrix.Columns);
            var address = (byte*)(matrix.Address + (nint)((row * matrix.RowStrideBytes) + (column * columnStride)));
            elements[i] = (float)OracleNumbers.Decode(matrix.DType, size == 4 ? *(uint*)address : size == 2 ? *(ushort*)address : *address) * scales.At(row, column);
        }

        return elements;
    }
}
