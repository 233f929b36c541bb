using System.Collections.Immutable;
using Rocm.Inference.Native.Aiter;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Hip.Tests.Aiter;

/// <summary>AITER's products of fp8 matrices with scales of blocks, executed, against the product in double precision.</summary>
[Collection(AiterCheckout.Collection)]
public sealed class AiterScaledGemmTests(ITestOutputHelper log)
{
    private const int Block = AiterScaledWeight.Block;

    // Every tile, whole and in part.
    [Theory]
    [InlineData(1, 128, 128, 32)]
    [InlineData(5, 256, 512, 32)]
    [InlineData(200, 384, 256, 32)]
    [InlineData(47, 128, 384, 48)]
    [InlineData(64, 256, 256, 64)]
    [InlineData(79, 128, 256, 80)]
    [InlineData(191, 128, 256, 96)]
    [InlineData(256, 128, 256, 128)]
    [InlineData(383, 128, 128, 128)]
    public void Products_agree_with_the_oracle(int rows, int outputs, int inputs, int tile)
    {
        using AiterCheckout aiter = AiterCheckout.Open(inStep: true);
        Assert.SkipWhen(aiter.Library.Kernels.ScaledGemm.IsEmpty, "This AITER has no products of fp8 matrices with scales of blocks.");
        AiterScaledGemm? gemm = AiterScaledGemm.TryCreate(aiter.Library, outputs, inputs, computeUnits: 1, out ImmutableArray<string> reasons);
        Assert.True(gemm is not null, string.Join(' ', reasons));
        Assert.Contains($"_{tile}x128E", gemm.SymbolFor(rows), StringComparison.Ordinal);
        var random = new TestRandom(95);
        log.WriteLine($"{gemm.SymbolFor(rows)}, seed {random.Seed}");
        (byte[] input, double[] a) = Draw(random, rows * inputs);
        (byte[] weight, double[] b) = Draw(random, outputs * inputs);
        int groups = inputs / Block;
        float[] inputScales = random.Floats((long)groups * rows), weightScales = random.Floats((long)outputs / Block * groups), bias = random.Floats(outputs);
        byte[] shuffled = new byte[weight.Length];
        AiterScaledWeight.Shuffle(weight, inputs, shuffled);
        nint output = aiter.Allocate((long)rows * outputs * sizeof(ushort));
        gemm.Launch(aiter.Stream, new AiterScaledGemmArguments
        {
            Output = output,
            Input = aiter.Upload<byte>(input),
            Weight = aiter.Upload<byte>(shuffled),
            InputScales = aiter.Upload<float>(inputScales),
            WeightScales = aiter.Upload<float>(weightScales),
            Bias = aiter.Upload<float>(bias),
            Rows = rows,
        });
        float[] found = [.. aiter.Download<ushort>(output, rows * outputs).Select(bits => (float)OracleNumbers.Decode(DType.BF16, bits))];
        double[] expected = new double[rows * outputs];
        for (int m = 0; m < rows; m++)
        {
            for (int n = 0; n < outputs; n++)
            {
                double sum = bias[n];
                for (int k = 0; k < inputs; k++)
                    sum += a[(m * inputs) + k] * inputScales[(k / Block * rows) + m] * b[(n * inputs) + k] * weightScales[(n / Block * groups) + (k / Block)];
                expected[(m * outputs) + n] = sum;
            }
        }

        double error = RelativeError.Of(expected, found);
        log.WriteLine($"error {error:0.00000}");

        // Operands are exact: what is left is that the kernel cuts results off to bf16, by 2⁻⁷ of each at most.
        Assert.InRange(error, 0, 0.0045);
    }

    private static (byte[] Bytes, double[] Values) Draw(TestRandom random, int count)
    {
        byte[] bytes = [.. random.Floats(count, 8).Select(value => (byte)OracleNumbers.Encode(DType.F8E4M3Fnuz, value))];
        return (bytes, [.. bytes.Select(value => OracleNumbers.Decode(DType.F8E4M3Fnuz, value))]);
    }
}
