using Rocm.Inference.Devices.Cpu;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Golden;

/// <summary>
/// Checkpoints of few bits compute what the plain checkpoints of the same numbers do. Plain ones are held against double precision: by the goldens, and
/// here, at the widths that these need, by an oracle that is itself held against the goldens.
/// </summary>
public sealed class QuantizedForwardTests : IDisposable
{
    /// <summary>Largest accepted error of a logit against double precision, as for the goldens; measured are at most 8e-6.</summary>
    private const double Tolerance = 2e-5;

    private static readonly int[] Tokens = [3, 141, 59, 26, 53, 58, 97, 93, 238, 46, 26, 43, 38, 32, 79, 50, 28, 84, 197, 169, 39, 93];

    private readonly string _folder = Directory.CreateTempSubdirectory("quantized-").FullName;
    private readonly CpuDevice _device = new(new CpuDeviceOptions { NumThreads = 1 });

    private string Quantized => Path.Combine(_folder, "quantized");

    private string Plain => Path.Combine(_folder, "plain");

    public void Dispose()
    {
        _device.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Theory]
    [InlineData("deepseek-v3")]
    [InlineData("gpt-oss")]
    public void The_oracle_says_what_the_independent_program_says(string name)
    {
        GoldenCheckpoint checkpoint = GoldenCheckpoint.Load(name);
        checkpoint.WriteTo(Plain, GoldenWeights.Float32);
        GoldenCase golden = checkpoint.CasesWith(GoldenWeights.Float32).Single();
        double[][] logits = new OracleDecoder(Plain).Logits(golden.Prompt);

        foreach ((int position, double[] expected) in golden.Logits) Assert.InRange(Error(expected, logits[position]), 0, 2e-6);
    }

    [Theory]
    [InlineData(DType.F8E4M3Fn, DType.F32)]
    [InlineData(DType.F8E4M3Fn, DType.BF16)]
    [InlineData(DType.F8E4M3Fnuz, DType.F32)]
    [InlineData(DType.F8E5M2, DType.F32)]
    public void DeepSeek_in_blocks_of_8_bit_floats_equals_its_numbers_in_double(DType dtype, DType scaleType)
    {
        SyntheticCheckpoint.DeepSeekV3(seed: 5).WriteBlockFp8(Quantized, Plain, dtype, scaleType);
        double[][] expected = new OracleDecoder(Plain).Logits(Tokens);
        foreach (string backend in TestBackends.Names(AttentionKind.Mla))
        {
            using ModelSession session = Load(Quantized, backend);
            AssertClose(expected, session);
        }

        AssertSamePlain(expected);
    }

    [Fact]
    public void Gpt_oss_in_MXFP4_equals_its_numbers_in_double()
    {
        Mxfp4Checkpoint.Write(Quantized, Plain);
        double[][] expected = new OracleDecoder(Plain).Logits(Tokens);
        foreach (string backend in TestBackends.Names(AttentionKind.Mha))
        {
            using ModelSession session = Load(Quantized, backend);
            AssertClose(expected, session);
        }

        AssertSamePlain(expected);
    }

    [Theory]
    [InlineData(DType.F8E4M3Fn, DType.BF16)]
    [InlineData(DType.F8E4M3Fnuz, DType.F32)]
    public void A_dense_model_in_blocks_of_8_bit_floats_equals_the_plain_one(DType dtype, DType scaleType)
    {
        SyntheticCheckpoint.Qwen3(seed: 7).WriteBlockFp8(Quantized, Plain, dtype, scaleType);
        using ModelSession plain = Load(Plain), quantized = Load(Quantized);
        AssertClose([.. Forward(plain).Select(row => row.Select(logit => (double)logit).ToArray())], quantized);
    }

    [Fact]
    public void Weights_of_few_bits_are_not_expanded_in_memory()
    {
        SyntheticCheckpoint.DeepSeekV3(seed: 5).WriteBlockFp8(Quantized, Plain);
        using (ModelSession fp8 = Load(Quantized), plain = Load(Plain))
        {
            // Packing pads rows to whole panels of 48, which at these widths is much; the projections themselves are a quarter of f32.
            Assert.InRange(fp8.Model.ResidentBytes, fp8.PlannedBytes, 1.2 * fp8.PlannedBytes);
            Assert.True(fp8.Model.ResidentBytes < 0.5 * plain.Model.ResidentBytes, $"{fp8.Model.ResidentBytes} of {plain.Model.ResidentBytes} bytes");
        }

        Directory.Delete(Quantized, recursive: true);
        Directory.Delete(Plain, recursive: true);
        Mxfp4Checkpoint.Write(Quantized, Plain);
        using ModelSession mxfp4 = Load(Quantized), wide = Load(Plain);

        // All that is above the plan is padding: rows to panels of 48 (128 of q, k and v to 144, 64 of o and of down to 96, 4 of the router to 48, 256 of
        // embedding and head to 288), and 4 exponents a column for every 128 elements or fewer, where the file has 2 or 3.
        const int F32Row = 64 * sizeof(float);
        const int GateUp = 192 * (4 - 2), Down = (96 * (48 + 4)) - (64 * (48 + 3));
        const int Layer = ((16 + 32 + 44) * F32Row) + (4 * (GateUp + Down));
        Assert.Equal(mxfp4.PlannedBytes + (4 * Layer) + (2 * 32 * F32Row), mxfp4.Model.ResidentBytes);

        // Experts are most of the model: 4 layers, 4 experts, 3 matrices of 64 × 96 at 4 and a quarter instead of 32 bits.
        Assert.True(wide.Model.ResidentBytes - mxfp4.Model.ResidentBytes > 0.8 * 4 * 4 * 3 * 64 * 96 * 4 * (1 - (4.25 / 32)));
    }

    private ModelSession Load(string folder, string? backend = null) =>
        new(_device, folder, maxSeqLen: 64, DType.F32, backend: backend is null ? null : TestBackends.Named(backend));

    private void AssertSamePlain(double[][] expected)
    {
        using ModelSession plain = Load(Plain);
        AssertClose(expected, plain);
    }

    private static void AssertClose(double[][] expected, ModelSession session)
    {
        float[][] logits = Forward(session);
        double worst = expected.Zip(logits, (e, a) => Error(e, [.. a.Select(logit => (double)logit)])).Max();
        TestContext.Current.TestOutputHelper?.WriteLine($"largest error {worst:g3}, apart from {expected.Max(row => row.Max()):g3}");
        Assert.InRange(worst, 0, Tolerance);
    }

    private static float[][] Forward(ModelSession session) => session.Forward(Tokens, 0, [.. Enumerable.Range(0, Tokens.Length)]);

    private static double Error(double[] expected, double[] actual) =>
        expected.Zip(actual, (e, a) => double.IsNaN(a) ? double.PositiveInfinity : Math.Abs(e - a)).Max();
}
