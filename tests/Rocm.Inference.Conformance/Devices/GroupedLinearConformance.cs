using Rocm.Inference.Devices;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Conformance.Devices;

/// <summary>GroupedLinear and LinearPerHead of a device against the oracle.</summary>
public abstract class GroupedLinearConformance
{
    /// <summary>How many of so many random shapes are tried.</summary>
    protected virtual int Sample(int all) => all;

    /// <summary>Numbers of threads that a device may have; what has no such number runs once.</summary>
    protected virtual int[] Threads => [1, 2, 3];

    protected abstract IDevice CreateDevice(int numThreads);

    [Theory]
    [InlineData(DType.BF16, 41)]
    [InlineData(DType.F16, 42)]
    [InlineData(DType.F32, 43)]
    public void Every_experts_product_equals_the_oracle_for_any_shape(DType dtype, int seed)
    {
        using IDevice device = CreateDevice(2);
        var random = new TestRandom(seed);
        double worst = 0;
        for (int i = 0; i < Sample(10); i++)
        {
            int t = random.Pick(1, 1, 2, 5, random.Next(1, 60)), e = random.Next(1, 9), topK = random.Next(1, e + 1);
            int k = random.Next(1, 560), n = random.Next(1, 110);
            if (i == 0) (t, e, topK, k, n) = (1, 1, 1, 1, 1);
            if (i == 1) (t, e, topK, k, n) = (290, 3, 2, 65, 50);
            using var group = new GroupFixture(random, dtype, e, n, k);
            using var tensors = new PoisonedTensors(device);
            using PackedWeightGroup packed = group.Pack(device);
            Assert.Equal((e, n, k), (packed.Count, packed.OutputFeatures, packed.InputFeatures));

            // Few experts get most of the tokens, some get none.
            int[] experts = [.. Enumerable.Range(0, t).SelectMany(_ => Enumerable.Range(0, e).OrderBy(x => random.Next(0, 100) + (20 * x)).Take(topK))];
            MoeTensors sorted = MoeTensors.Sort(tensors, experts, t, topK, e);
            float[] x = tensors.Draw(random, t * k);
            int[] expertOfRow = [.. sorted.Order.Select(a => experts[a])];
            float[] gathered = [.. sorted.Order.SelectMany(a => x.AsSpan(a / topK * k, k).ToArray())];
            double[] expected = OracleMoe.Linear(gathered, expertOfRow, [.. group.Values.Select(tensors.Packed)], group.Biases, k, n);

            string what = $"seed {seed}, case {i}: {t} tokens x {topK} of {e} experts, {k} x {n} {dtype}";
            TensorView y = tensors.PoisonActivations(t * topK, n);
            device.Kernels.GroupedLinear(tensors.Context, tensors.Activations(x, t, k), packed, sorted.OffsetsView, sorted.OrderView, topK, y);
            worst = Math.Max(worst, tensors.Tolerance.Check(expected, tensors.Read(y), what));

            TensorView direct = tensors.PoisonActivations(t * topK, n);
            device.Kernels.GroupedLinear(tensors.Context, tensors.Activations(gathered, t * topK, k), packed, sorted.OffsetsView, default, 1, direct);
            Assert.Equal(tensors.Read(y), tensors.Read(direct));
            tensors.Verify();
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}: largest error {worst:F3} of the allowed");
    }

    [Theory]
    [InlineData(DType.BF16)]
    [InlineData(DType.F16)]
    [InlineData(DType.F32)]
    public void A_row_has_the_bits_of_a_plain_product_whatever_shares_its_expert_and_on_any_number_of_threads(DType dtype)
    {
        var random = new TestRandom(44);
        const int Rows = 700, K = 531, N = 70;
        int[] offsets = [0, 0, 1, 3, 140, 160, 160, 690, 700];
        int e = offsets.Length - 1;
        using var group = new GroupFixture(random, dtype, e, N, K);
        float[] x = random.Floats(Rows * K);
        foreach (int threads in Threads)
        {
            using IDevice device = CreateDevice(threads);
            using var tensors = new PoisonedTensors(device);
            using PackedWeightGroup packed = group.Pack(device);
            TensorView input = tensors.Activations(tensors.Round(x), Rows, K), y = tensors.Poison(DType.F32, Rows, N);
            device.Kernels.GroupedLinear(tensors.Context, input, packed, tensors.I32(offsets, e + 1), default, 1, y);
            float[] all = tensors.Read(y);
            for (int i = 0; i < e; i++)
            {
                using PackedWeight alone = device.Pack(group.Sources[i]);
                for (int row = offsets[i]; row < offsets[i + 1]; row += 61)
                {
                    TensorView one = tensors.Poison(DType.F32, 1, N);
                    device.Kernels.Linear(tensors.Context, input.Slice(0, row, 1), alone, one);
                    Assert.Equal(tensors.Read(one), all.AsSpan(row * N, N).ToArray());
                }
            }
        }
    }

    [Theory]
    [InlineData(DType.BF16)]
    [InlineData(DType.F32)]
    public void Every_head_has_its_own_weight_which_may_be_a_transposed_view(DType dtype)
    {
        using IDevice device = CreateDevice(2);
        var random = new TestRandom(45);
        foreach ((int t, int heads, int k, int n) in new[] { (1, 1, 1, 1), (1, 16, 32, 70), (3, 5, 37, 49), (150, 2, 64, 20), (700, 2, 24, 50), (2, 3, 600, 5) })
        {
            // As in latent attention: the heads' parts of one matrix [heads, k + 3, n], read along its columns.
            using var stored = new WeightFixture(random, dtype, heads * (k + 3), n);
            int size = dtype.ByteSize();
            WeightSource[] sources = [.. Enumerable.Range(0, heads).Select(h => new WeightSource(new[]
            {
                stored.Matrix with
                {
                    Rows = n, Columns = k, RowStrideBytes = size, ColumnStrideBytes = (long)n * size,
                    Address = stored.Matrix.Address + (nint)((long)h * (k + 3) * n * size),
                },
            }))];
            using var tensors = new PoisonedTensors(device);
            using PackedWeightGroup packed = device.PackGroup(sources);
            float[] x = tensors.Draw(random, t * heads * k);
            double[] values = tensors.Packed(stored.Values);
            var expected = new double[t * heads * n];
            for (int i = 0; i < expected.Length; i++)
            {
                int row = i / n;
                for (int j = 0; j < k; j++) expected[i] += x[(row * k) + j] * values[(((row % heads * (k + 3)) + j) * n) + (i % n)];
            }

            // Heads of wider rows: queries of latent attention lie between other columns.
            TensorView wide = tensors.PoisonActivations(t, heads, n + 9);
            device.Kernels.LinearPerHead(tensors.Context, tensors.Activations(x, t, heads, k), packed, wide.Slice(2, 4, n));
            float[] all = tensors.Read(wide);
            float[] y = [.. Enumerable.Range(0, expected.Length).Select(i => all[(i / n * (n + 9)) + 4 + (i % n)])];
            tensors.Tolerance.Check(expected, y, $"{t} x {heads} heads, {k} x {n} {dtype}");
            Assert.Equal(t * heads * 9, all.Count(float.IsNaN));
            tensors.Verify();
        }
    }

    [Theory]
    [InlineData(DType.BF16)]
    [InlineData(DType.F16)]
    [InlineData(DType.F32)]
    public void Rows_of_gate_and_up_that_alternate_may_be_stacked_apart_also_transposed(DType dtype)
    {
        using IDevice device = CreateDevice(2);
        var random = new TestRandom(46);
        const int K = 45, F = 53, T = 4;
        foreach (bool transposed in new[] { false, true })
        {
            // As in gpt-oss: [in, out] with gate and up alternating along out.
            using var stored = transposed ? new WeightFixture(random, dtype, K, 2 * F) : new WeightFixture(random, dtype, 2 * F, K);
            int size = dtype.ByteSize();
            int rowStride = transposed ? size : K * size, columnStride = transposed ? 2 * F * size : 0;
            WeightMatrix Part(int first) => stored.Matrix with
            {
                Rows = F,
                Columns = K,
                RowStrideBytes = 2 * rowStride,
                ColumnStrideBytes = columnStride,
                Address = stored.Matrix.Address + (first * rowStride),
            };
            double Value(int row, int k) => transposed ? stored.Values[(k * 2 * F) + row] : stored.Values[(row * K) + k];
            double[] values = [.. Enumerable.Range(0, 2 * F * K).Select(i => Value(i / K < F ? i / K * 2 : (((i / K) - F) * 2) + 1, i % K))];
            using var tensors = new PoisonedTensors(device);
            using PackedWeight packed = device.Pack(new WeightSource(new[] { Part(0), Part(1) }));
            float[] x = tensors.Draw(random, T * K);
            TensorView y = tensors.Poison(DType.F32, T, 2 * F);
            device.Kernels.Linear(tensors.Context, tensors.Activations(x, T, K), packed, y);
            Tolerance.F32.Check(OracleOps.Linear(x, tensors.Packed(values), null, T, K, 2 * F), tensors.Read(y), $"{dtype}, transposed {transposed}");
        }
    }

    [Fact]
    public void What_cannot_be_a_group_or_does_not_fit_it_is_refused()
    {
        using IDevice device = CreateDevice(1);
        var random = new TestRandom(47);
        using var group = new GroupFixture(random, DType.BF16, 2, 10, 20);
        using var other = new WeightFixture(random, DType.BF16, 11, 20);
        Assert.Throws<ArgumentException>(() => device.PackGroup([group.Sources[0], new WeightSource(new[] { other.Matrix })]));
        Assert.Throws<ArgumentException>(() => device.PackGroup([]));
        Assert.Throws<ArgumentException>(() => device.Pack(new WeightSource(new[] { other.Matrix with { RowStrideBytes = 38 } })));
        Assert.Throws<ArgumentException>(() => device.Pack(new WeightSource(new[] { other.Matrix with { RowStrideBytes = 2, ColumnStrideBytes = 20 } })));

        using PackedWeightGroup packed = group.Pack(device);
        using var tensors = new PoisonedTensors(device);
        TensorView x = tensors.Activations(tensors.Draw(random, 3 * 20), 3, 20), y = tensors.PoisonActivations(6, 10), order = tensors.I32([0, 1, 2, 3, 4, 6], 6);
        void Grouped(int[] offsets, TensorView order, int topK) =>
            device.Kernels.GroupedLinear(tensors.Context, x, packed, tensors.I32(offsets, offsets.Length), order, topK, y);
        if (device.Kind == DeviceKind.Cpu)
        {
            // Contents of offsets and order, which the host of a GPU does not see.
            Assert.ThrowsAny<ArgumentException>(() => Grouped([0, 3, 6], order, 2));
            Assert.ThrowsAny<ArgumentException>(() => Grouped([0, 3, 5], tensors.I32([0, 1, 2, 3, 4, 5], 6), 2));
            Assert.ThrowsAny<ArgumentException>(() => Grouped([0, 7, 6], tensors.I32([0, 1, 2, 3, 4, 5], 6), 2));
        }

        Assert.ThrowsAny<ArgumentException>(() => Grouped([0, 6], tensors.I32([0, 1, 2, 3, 4, 5], 6), 2));
        Assert.ThrowsAny<ArgumentException>(() => Grouped([0, 3, 6], tensors.I32([0, 1, 2, 3, 4, 5], 6), 3));
        Assert.ThrowsAny<ArgumentException>(() => Grouped([0, 3, 6], default, 2));
        Assert.ThrowsAny<ArgumentException>(() => device.Kernels.LinearPerHead(tensors.Context, x, packed, y));
    }
}
