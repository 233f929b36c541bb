using Rocm.Inference.Devices;
using Rocm.Inference.Devices.Hip;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Conformance.Devices;

/// <summary>Which products hipBLASLt takes, and that they are right: a stand-in that computes on the host, on an emulated GPU.</summary>
public sealed class BlasLinearTests
{
    private const int N = 20;

    [Theory]
    [InlineData(256, 64, DType.BF16)]
    [InlineData(300, 72, DType.BF16)]
    [InlineData(257, 33, DType.F32)]
    public void A_product_of_many_rows_equals_the_oracle_and_fits_its_place(int rows, int k, DType output)
    {
        using HipGpu gpu = Open(HipBlasLtUse.Always, TimeSpan.Zero, out BlasLinear blas);
        using var tensors = new PoisonedTensors(gpu);
        Multiply(tensors, new TestRandom(900 + k), rows, k, output);
        Assert.Equal(1, blas.NumProducts);
    }

    [Fact]
    public void It_takes_no_few_rows_and_nothing_to_be_added_or_biased()
    {
        using HipGpu gpu = Open(HipBlasLtUse.Always, TimeSpan.Zero, out BlasLinear blas);
        using var tensors = new PoisonedTensors(gpu);
        var random = new TestRandom(910);
        Multiply(tensors, random, BlasLinear.MinRows - 1, 64, DType.BF16);
        Multiply(tensors, random, BlasLinear.MinRows, 64, DType.BF16, accumulate: true);
        Multiply(tensors, random, BlasLinear.MinRows, 64, DType.BF16, hasBias: true);
        Assert.Equal(0, blas.NumProducts);
    }

    [Fact]
    public void The_faster_one_is_taken_from_the_first_product_of_a_shape_on()
    {
        var random = new TestRandom(920);
        using (HipGpu gpu = Open(HipBlasLtUse.WhenFaster, TimeSpan.FromSeconds(1), out BlasLinear slow))
        {
            using var tensors = new PoisonedTensors(gpu);
            Multiply(tensors, random, 256, 64, DType.BF16);
            Assert.Equal(0, slow.NumProducts);
        }

        using HipGpu other = Open(HipBlasLtUse.WhenFaster, TimeSpan.Zero, out BlasLinear fast);
        using var others = new PoisonedTensors(other);
        for (int i = 1; i <= 2; i++)
        {
            // Emulated, the library's own kernel takes milliseconds; the stand-in some hundred microseconds.
            Multiply(others, random, 512, 256, DType.BF16);
            Assert.Equal(i, fast.NumProducts);
        }
    }

    [Fact]
    public void A_search_for_a_kernel_that_fails_leaves_the_product_to_the_librarys_own()
    {
        const int NotSupported = 7;
        using HipGpu gpu = Open(HipBlasLtUse.Always, TimeSpan.Zero, out BlasLinear blas, NotSupported);
        using var tensors = new PoisonedTensors(gpu);
        Multiply(tensors, new TestRandom(930), 256, 64, DType.BF16);
        Assert.Equal(0, blas.NumProducts);
    }

    private static HipGpu Open(HipBlasLtUse use, TimeSpan delay, out BlasLinear blas, int search = 0)
    {
        Assert.SkipWhen(EmulatedGpu.Missing is not null, EmulatedGpu.Missing ?? "");
        return EmulatedGpu.CreateWithBlas(EmulatedGpu.Gfx1100, use, delay, out blas, search);
    }

    private static void Multiply(PoisonedTensors tensors, TestRandom random, int rows, int k, DType output, bool accumulate = false, bool hasBias = false)
    {
        const int Gap = 8;
        using var weight = new WeightFixture(random, DType.BF16, N, k);
        float[]? bias = hasBias ? random.Floats(N) : null;
        using PackedWeight packed = tensors.Device.Pack(new WeightSource(new[] { weight.Matrix }, bias));

        // Rows of both lie apart: what is between them is not read, and stays as it is.
        float[] wide = tensors.Draw(random, rows * (k + Gap)), before = tensors.Draw(random, rows * (N + Gap));
        float[] x = [.. Enumerable.Range(0, rows).SelectMany(row => wide.AsSpan(row * (k + Gap), k).ToArray())];
        double[] products = OracleOps.Linear(x, tensors.Packed(weight.Values), bias, rows, k, N);
        double[] expected = [.. before.Select((value, i) => i % (N + Gap) >= N ? value : products[(i / (N + Gap) * N) + (i % (N + Gap))] + (accumulate ? value : 0))];
        TensorView y = tensors.Of(output, before, rows, N + Gap);
        tensors.Device.Kernels.Linear(tensors.Context, tensors.Activations(wide, rows, k + Gap).Slice(1, 0, k), packed, y.Slice(1, 0, N), accumulate);
        PoisonedTensors.ToleranceOf(output).Check(expected, tensors.Read(y), $"{rows} x {k} x {N}, y {output}");
        tensors.Verify();
    }
}
