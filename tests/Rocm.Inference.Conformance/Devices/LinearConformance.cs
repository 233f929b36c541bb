using Rocm.Inference.Devices;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Conformance.Devices;

/// <summary>Linear and Embedding of a device against the oracle.</summary>
public abstract class LinearConformance
{
    /// <summary>How many of so many random shapes are tried.</summary>
    protected virtual int Sample(int all) => all;

    /// <summary>Numbers of threads that a device may have; what has no such number runs once.</summary>
    protected virtual int[] Threads => [1, 2, 3];

    protected abstract IDevice CreateDevice(int numThreads);

    [Theory]
    [InlineData(DType.BF16, 1)]
    [InlineData(DType.F16, 2)]
    [InlineData(DType.F32, 3)]
    public void A_product_equals_the_oracle_for_any_shape(DType dtype, int seed)
    {
        using IDevice device = CreateDevice(2);
        var random = new TestRandom(seed);
        double worst = 0;
        for (int i = 0; i < Sample(24); i++)
        {
            int m = random.Pick(1, 1, 2, 3, 5, 8, random.Next(1, 71)), k = random.Next(1, 1300), n = random.Next(1, 200);
            if (i == 0) (m, k, n) = (1, 1, 1);
            if (i == 1) (m, k, n) = (140, 513, 97);
            using var weight = new WeightFixture(random, dtype, n, k);
            float[]? bias = random.Chance(0.5) ? random.Floats(n) : null;
            using var tensors = new PoisonedTensors(device);
            float[] x = tensors.Draw(random, (long)m * k);
            double[] expected = OracleOps.Linear(x, tensors.Packed(weight.Values), bias, m, k, n);
            bool accumulate = random.Chance(0.4);
            float[] before = tensors.Draw(random, (long)m * n);
            if (accumulate) expected = [.. expected.Zip(before, (e, b) => e + b)];

            // Logits are f32 on every device.
            DType type = random.Chance(0.5) ? DType.F32 : device.ActivationDType;
            using PackedWeight packed = device.Pack(new WeightSource(new[] { weight.Matrix }, bias));
            TensorView y = accumulate ? tensors.Of(type, before, m, n) : tensors.Poison(type, m, n);
            device.Kernels.Linear(tensors.Context, tensors.Activations(x, m, k), packed, y, accumulate);
            worst = Math.Max(worst, PoisonedTensors.ToleranceOf(type).Check(expected, tensors.Read(y), $"seed {seed}, case {i}: {m} x {k} x {n} {dtype}, y {type}"));
            tensors.Verify();
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}: largest error {worst:F3} of the allowed");
    }

    [Fact]
    public void Stacked_matrices_of_different_types_are_one_weight()
    {
        using IDevice device = CreateDevice(2);
        var random = new TestRandom(4);
        const int K = 77, M = 3;
        using var a = new WeightFixture(random, DType.BF16, 50, K);
        using var b = new WeightFixture(random, DType.F16, 7, K);
        using var c = new WeightFixture(random, DType.F32, 91, K);
        using var tensors = new PoisonedTensors(device);
        using PackedWeight packed = device.Pack(new WeightSource(new[] { a.Matrix, b.Matrix, c.Matrix }));
        float[] x = tensors.Draw(random, M * K);
        TensorView y = tensors.PoisonActivations(M, 148);
        device.Kernels.Linear(tensors.Context, tensors.Activations(x, M, K), packed, y);
        double[] stacked = tensors.Packed([.. a.Values, .. b.Values, .. c.Values]);
        tensors.Tolerance.Check(OracleOps.Linear(x, stacked, null, M, K, 148), tensors.Read(y), "stacked");
        tensors.Verify();
    }

    [Fact]
    public void Operands_may_be_columns_of_wider_tensors()
    {
        using IDevice device = CreateDevice(2);
        var random = new TestRandom(5);
        const int M = 9, K = 40, N = 60;
        using var weight = new WeightFixture(random, DType.BF16, N, K);
        using var tensors = new PoisonedTensors(device);
        using PackedWeight packed = device.Pack(new WeightSource(new[] { weight.Matrix }));
        float[] wide = tensors.Draw(random, M * 100);
        TensorView x = tensors.Activations(wide, M, 100).Slice(1, 30, K);
        TensorView whole = tensors.Activations(new float[M * 80], M, 80);
        device.Kernels.Linear(tensors.Context, x, packed, whole.Slice(1, 10, N));
        float[] inner = [.. Enumerable.Range(0, M * K).Select(i => wide[(i / K * 100) + 30 + (i % K)])];
        float[] result = tensors.Read(whole);
        float[] y = [.. Enumerable.Range(0, M * N).Select(i => result[(i / N * 80) + 10 + (i % N)])];
        tensors.Tolerance.Check(OracleOps.Linear(inner, weight.Values, null, M, K, N), y, "strided");
        Assert.All(Enumerable.Range(0, M * 80).Where(i => i % 80 is < 10 or >= 70), i => Assert.Equal(0, result[i]));
    }

    [Theory]
    [InlineData(DType.BF16)]
    [InlineData(DType.F16)]
    [InlineData(DType.F32)]
    public void A_row_has_the_same_bits_alone_in_any_batch_and_on_any_number_of_threads(DType dtype)
    {
        var random = new TestRandom(6);
        const int M = 70, K = 1111, N = 173;
        using var weight = new WeightFixture(random, dtype, N, K);
        float[] x = random.Floats(M * K), bias = random.Floats(N);
        float[]? reference = null;
        foreach (int threads in Threads)
        {
            using IDevice device = CreateDevice(threads);
            using var tensors = new PoisonedTensors(device);
            using PackedWeight packed = device.Pack(new WeightSource(new[] { weight.Matrix }, bias));
            TensorView input = tensors.Activations(tensors.Round(x), M, K);
            TensorView y = tensors.Poison(DType.F32, M, N);
            device.Kernels.Linear(tensors.Context, input, packed, y);
            float[] batch = tensors.Read(y);
            reference ??= batch;
            Assert.Equal(reference, batch);
            foreach ((int first, int count) in new[] { (0, 1), (13, 1), (69, 1), (5, 2), (8, 3), (20, 7), (1, 64) })
            {
                TensorView part = tensors.Poison(DType.F32, count, N);
                device.Kernels.Linear(tensors.Context, input.Slice(0, first, count), packed, part);
                Assert.Equal(reference.AsSpan(first * N, count * N).ToArray(), tensors.Read(part));
            }
        }
    }

    [Theory]
    [InlineData(DType.BF16)]
    [InlineData(DType.F16)]
    [InlineData(DType.F32)]
    public void An_embedding_row_is_the_row_of_the_tied_weight(DType dtype)
    {
        using IDevice device = CreateDevice(2);
        var random = new TestRandom(7);
        const int Vocabulary = 131, Hidden = 75;
        using var weight = new WeightFixture(random, dtype, Vocabulary, Hidden);
        using var tensors = new PoisonedTensors(device);
        using PackedWeight packed = device.Pack(new WeightSource(new[] { weight.Matrix }));
        int[] ids = [0, 130, 47, 48, 95, 47, 1];
        TensorView y = tensors.PoisonActivations(ids.Length, Hidden);
        device.Kernels.Embedding(tensors.Context, tensors.I32(ids, ids.Length), packed, 1.5f, y);
        double[] table = tensors.Packed(weight.Values);
        float[] expected = tensors.Round([.. ids.SelectMany(id => table.AsSpan(id * Hidden, Hidden).ToArray()).Select(v => (float)v * 1.5f)]);
        Assert.Equal(expected, tensors.Read(y));
        tensors.Verify();

        // An id that is not in the table is refused where the host sees it, else it is seen in the result.
        TensorView wrong = tensors.PoisonActivations(1, Hidden);
        void Embed() => device.Kernels.Embedding(tensors.Context, tensors.I32([Vocabulary], 1), packed, 1, wrong);
        if (device.Kind == DeviceKind.Cpu) Assert.Throws<ArgumentOutOfRangeException>(Embed);
        else
        {
            Embed();
            Assert.All(tensors.Read(wrong), value => Assert.True(float.IsNaN(value)));
        }
    }
}
