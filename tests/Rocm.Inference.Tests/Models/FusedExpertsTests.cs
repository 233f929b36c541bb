using Rocm.Inference.Devices;
using Rocm.Inference.Models;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Tests.Models;

/// <summary>gpt-oss' experts, in which gate and up alternate, as views of single matrices.</summary>
public sealed class FusedExpertsTests : IDisposable
{
    private const int NumExperts = 4, Hidden = 64, Size = 96;
    private readonly CheckpointFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Plain_experts_are_transposed_views()
    {
        GoldenCheckpoint golden = GoldenCheckpoint.Load("gpt-oss");
        golden.WriteTo(_folder.Path, GoldenWeights.Float32);
        using DecoderPlan plan = Plan();
        var sources = Assert.IsType<MoeSources>(plan.Sources.Layers[2].Mlp);
        float[] gateUp = Values(golden, "gate_up_proj"), gateUpBias = Values(golden, "gate_up_proj_bias"), down = Values(golden, "down_proj");
        float[] downBias = Values(golden, "down_proj_bias");

        for (int e = 0; e < NumExperts; e++)
        {
            Assert.Equal(2, sources.GateUp[e].Parts.Length);
            for (int part = 0; part < 2; part++)
            {
                WeightMatrix matrix = sources.GateUp[e].Parts.Span[part];
                Assert.Equal((Size, Hidden), (matrix.Rows, matrix.Columns));
                int first = (e * Hidden * 2 * Size) + part;
                AssertEach(matrix, (row, column) => gateUp[first + (column * 2 * Size) + (2 * row)], At);
                for (int i = 0; i < Size; i++) Assert.Equal(gateUpBias[(e * 2 * Size) + (2 * i) + part], sources.GateUp[e].Bias![(part * Size) + i]);
            }

            WeightMatrix output = Assert.Single(sources.Down[e].Parts.ToArray());
            Assert.Equal((Hidden, Size), (output.Rows, output.Columns));
            int start = e * Hidden * Size;
            AssertEach(output, (row, column) => down[start + (column * Hidden) + row], At);
            Assert.Equal(downBias[(e * Hidden)..((e + 1) * Hidden)], sources.Down[e].Bias!);
        }
    }

    [Fact]
    public void Blocks_of_four_bits_keep_their_scales_and_their_size()
    {
        float[] meant = WriteMxfp4(change: tensor => tensor).GateUp;
        using DecoderPlan plan = Plan();
        Assert.Empty(plan.UnusedTensors);
        Assert.Equal(DType.F4E2M1, plan.WeightDType);
        var sources = Assert.IsType<MoeSources>(plan.Sources.Layers[0].Mlp);

        Assert.Equal((2 * Size * Hidden / 2) + (2 * Size * Hidden / 32) + (2 * Size * sizeof(float)), DecoderSources.BytesOf(sources.GateUp[1]));
        for (int e = 0; e < NumExperts; e++)
        {
            for (int part = 0; part < 2; part++)
            {
                WeightMatrix matrix = sources.GateUp[e].Parts.Span[part];
                Assert.True(matrix is { DType: DType.F4E2M1, Rows: Size, Columns: Hidden, Scales: { DType: DType.U8, BlockRows: 1, BlockColumns: 32 } });
                int first = (e * 2 * Size) + part;
                AssertEach(matrix, (row, column) => meant[((first + (2 * row)) * Hidden) + column], Mxfp4At);
            }
        }
    }

    [Theory]
    [InlineData("gate_up_proj_blocks", "U8", new long[] { 4, 192, 2, 8 })]
    [InlineData("gate_up_proj_blocks", "F8_E4M3", new long[] { 4, 192, 2, 16 })]
    [InlineData("gate_up_proj_scales", "U8", new long[] { 4, 192, 1 })]
    [InlineData("down_proj_blocks", "U8", new long[] { 3, 64, 3, 16 })]
    [InlineData("down_proj_scales", "U8", new long[] { 4, 64, 3, 1 })]
    [InlineData("down_proj_bias", "F32", new long[] { 4, 63 })]
    [InlineData("gate_up_proj_bias", "F32", new long[] { 4, 192, 1 })]
    public void Fused_tensors_of_another_shape_or_type_are_refused(string name, string dtype, long[] shape)
    {
        string full = "model.layers.0.mlp.experts." + name;
        WriteMxfp4(tensor => tensor.Name == full
            ? new RawTensor(full, dtype, shape, new byte[shape.Aggregate(1L, (a, b) => a * b) * (dtype == "F32" ? 4 : 1)]) : tensor);

        Assert.Equal(full, Assert.Throws<ModelLoadException>(Plan).Tensor);
    }

    private (float[] GateUp, float[] Down) WriteMxfp4(Func<RawTensor, RawTensor> change)
    {
        (float[], float[]) first = Mxfp4Checkpoint.Write(_folder.Path, plain: null);
        string path = _folder.File("model.safetensors");
        RawTensor[] tensors = [.. RawSafetensors.Read(path).Select(change)];
        File.Delete(path);
        RawSafetensors.Write(path, tensors);
        return first;
    }

    private DecoderPlan Plan() =>
        DecoderPlan.Create(ModelFolder.Open(_folder.Path), new ModelRuntimeSettings(64, DType.BF16), DType.F32, ParallelContext.Single);

    private static float[] Values(GoldenCheckpoint golden, string name) =>
        golden.Generate(golden.Tensors.Single(tensor => tensor.Name == "model.layers.2.mlp.experts." + name));

    private static void AssertEach(WeightMatrix matrix, Func<int, int, float> expected, Func<WeightMatrix, int, int, float> actual)
    {
        int count = matrix.Rows * matrix.Columns;
        Assert.Equal(
            Enumerable.Range(0, count).Select(i => expected(i / matrix.Columns, i % matrix.Columns)).ToArray(),
            Enumerable.Range(0, count).Select(i => actual(matrix, i / matrix.Columns, i % matrix.Columns)).ToArray());
    }

    private static unsafe float At(WeightMatrix matrix, int row, int column) =>
        *(float*)(matrix.Address + (nint)((row * matrix.RowStrideBytes) + (column * matrix.ColumnStrideBytes)));

    private static unsafe float Mxfp4At(WeightMatrix matrix, int row, int column)
    {
        byte pair = ((byte*)matrix.Address)[(row * matrix.RowStrideBytes) + (column / 2)];
        byte exponent = ((byte*)matrix.Scales!.Address)[(row * matrix.Scales.RowStrideBytes) + (column / 32)];
        int code = column % 2 == 0 ? pair & 15 : pair >> 4;
        ReadOnlySpan<float> magnitudes = [0, 0.5f, 1, 1.5f, 2, 3, 4, 6];
        return magnitudes[code & 7] * (code < 8 ? 1 : -1) * MathF.Pow(2, exponent - 127);
    }
}
