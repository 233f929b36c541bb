using Rocm.Inference.Devices;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Conformance.Devices;

/// <summary>Products with 8-bit and 4-bit weights that have scales, against the oracle.</summary>
public abstract class ScaledWeightConformance
{
    public static TheoryData<DType, DType> Types => new()
    {
        { DType.F8E4M3Fn, DType.F32 },
        { DType.F8E4M3Fn, DType.BF16 },
        { DType.F8E4M3Fnuz, DType.F32 },
        { DType.F8E5M2, DType.F32 },
        { DType.F8E5M2, DType.U8 },
        { DType.F4E2M1, DType.U8 },
    };

    /// <summary>How many of so many random shapes are tried.</summary>
    protected virtual int Sample(int all) => all;

    /// <summary>Numbers of threads that a device may have; what has no such number runs once.</summary>
    protected virtual int[] Threads => [1, 3];

    protected abstract IDevice CreateDevice(int numThreads);

    [Theory]
    [MemberData(nameof(Types))]
    public void A_product_equals_the_oracle_for_any_shape(DType dtype, DType scaleType)
    {
        const int Seed = 61;
        using IDevice device = CreateDevice(2);
        var random = new TestRandom(Seed);
        double worst = 0;
        for (int i = 0; i < Sample(10); i++)
        {
            int m = random.Pick(1, 2, 3, 5, 8, random.Next(1, 40)), k = random.Next(1, 700), n = random.Next(1, 110), stacked = random.Next(1, 150);
            if (i == 0) (m, k, n, stacked) = (1, 1, 1, 1);
            if (i == 1) (m, k, n, stacked) = (140, 513, 50, 47);
            if (dtype == DType.F4E2M1) k += k % 2;
            using var first = new ScaledWeightFixture(random, dtype, scaleType, n, k);
            using var second = new ScaledWeightFixture(random, dtype, scaleType, stacked, k);
            double[] values = [.. first.Values, .. second.Values];
            n += stacked;
            float[]? bias = random.Chance(0.5) ? random.Floats(n) : null;
            using var tensors = new PoisonedTensors(device);
            float[] x = tensors.Draw(random, (long)m * k);
            using PackedWeight packed = device.Pack(new WeightSource(new[] { first.Matrix, second.Matrix }, bias));
            TensorView y = tensors.Poison(DType.F32, m, n);
            device.Kernels.Linear(tensors.Context, tensors.Activations(x, m, k), packed, y);
            worst = Math.Max(worst, Tolerance.F32.Check(OracleOps.Linear(x, values, bias, m, k, n), tensors.Read(y), $"seed {Seed}, case {i}: {m} x {k} x {n} {dtype}"));
            tensors.Verify();
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"seed {Seed}: largest error {worst:F3} of the allowed");
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void Every_element_counts_for_its_exact_value_times_its_scale(DType dtype, DType scaleType)
    {
        using IDevice device = CreateDevice(1);
        var random = new TestRandom(62);
        int codes = dtype == DType.F4E2M1 ? 16 : 256;

        // Element (n, k) has the bits n + k; row r of x picks column r.
        const int K = 6;
        using var weight = new ScaledWeightFixture(random, dtype, scaleType, codes, K, i => (byte)(((i / K) + (i % K)) % codes));
        using var tensors = new PoisonedTensors(device);
        using PackedWeight packed = device.Pack(new WeightSource(new[] { weight.Matrix }));
        foreach (int rows in new[] { 1, 2, K })
        {
            float[] x = [.. Enumerable.Range(0, rows * K).Select(i => i / K == i % K ? 1f : 0f)];
            TensorView y = tensors.Poison(DType.F32, rows, codes);
            device.Kernels.Linear(tensors.Context, tensors.Activations(x, rows, K), packed, y);
            float[] result = tensors.Read(y);
            for (int i = 0; i < result.Length; i++)
            {
                // 0 times an element that is not finite is NaN.
                double[] row = weight.Values.AsSpan(i % codes * K, K).ToArray();
                double expected = Enumerable.Range(0, K).Sum(k => row[k] * x[(i / codes * K) + k]);
                if (double.IsNaN(expected)) Assert.True(float.IsNaN(result[i]), $"{dtype} {i}: {result[i]}");
                else Assert.Equal((float)expected, result[i]);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void Grouped_products_equal_the_oracle_and_a_row_has_the_same_bits_whatever_shares_its_expert(DType dtype, DType scaleType)
    {
        var random = new TestRandom(63);
        const int Rows = 190, K = 644, N = 70;
        int[] offsets = [0, 0, 1, 3, 7, 14, 22, 22, 159, 172, 190];
        int e = offsets.Length - 1;
        ScaledWeightFixture[] weights = [.. Enumerable.Range(0, e).Select(_ => new ScaledWeightFixture(random, dtype, scaleType, N, K))];
        WeightSource[] sources = [.. weights.Select((w, i) => new WeightSource(new[] { w.Matrix }, i % 2 == 0 ? random.Floats(N) : null))];
        float[] draws = random.Floats(Rows * K);
        int[] experts = [.. Enumerable.Range(0, Rows).Select(row => Enumerable.Range(0, e).First(i => row < offsets[i + 1]))];
        foreach (int threads in Threads)
        {
            using IDevice device = CreateDevice(threads);
            using var tensors = new PoisonedTensors(device);
            float[] x = tensors.Round(draws);
            double[] expected = OracleMoe.Linear(x, experts, [.. weights.Select(w => w.Values)], [.. sources.Select(s => s.Bias)], K, N);
            using PackedWeightGroup packed = device.PackGroup(sources);
            TensorView input = tensors.Activations(x, Rows, K), y = tensors.Poison(DType.F32, Rows, N);
            device.Kernels.GroupedLinear(tensors.Context, input, packed, tensors.I32(offsets, e + 1), default, 1, y);
            float[] all = tensors.Read(y);
            Tolerance.F32.Check(expected, all, $"seed 63, {dtype}");
            for (int row = 0; row < Rows; row += row < 22 ? 1 : 21)
            {
                using PackedWeight alone = device.Pack(sources[experts[row]]);
                TensorView one = tensors.Poison(DType.F32, 1, N);
                device.Kernels.Linear(tensors.Context, input.Slice(0, row, 1), alone, one);
                Assert.Equal(tensors.Read(one), all.AsSpan(row * N, N).ToArray());
            }
        }

        foreach (ScaledWeightFixture weight in weights) weight.Dispose();
    }

    [Fact]
    public void Views_that_are_transposed_or_begin_inside_a_block_keep_their_scales()
    {
        using IDevice device = CreateDevice(2);
        var random = new TestRandom(64);
        const int Rows = 400, Columns = 200, M = 3;
        using var stored = new ScaledWeightFixture(random, DType.F8E4M3Fn, DType.F32, Rows, Columns);
        WeightScales scales = stored.Matrix.Scales!;
        using var tensors = new PoisonedTensors(device);

        // Rows 100 to 299, whose first block has 28 rows left.
        WeightMatrix slice = stored.Matrix with { Rows = 200, Address = stored.Matrix.Address + (100 * Columns), Scales = scales with { FirstRow = 100 } };
        Check(slice, (n, k) => stored.Values[((100 + n) * Columns) + k]);

        // Columns become rows; k runs over rows 128 to 300.
        WeightMatrix transposed = stored.Matrix with
        {
            Rows = 150,
            Columns = 173,
            Address = stored.Matrix.Address + (128 * Columns) + 7,
            RowStrideBytes = 1,
            ColumnStrideBytes = Columns,
            Scales = scales with { RowStrideBytes = sizeof(float), ColumnStrideBytes = scales.RowStrideBytes, FirstRow = 7, FirstColumn = 128 },
        };
        Check(transposed, (n, k) => stored.Values[((128 + k) * Columns) + 7 + n]);

        void Check(WeightMatrix matrix, Func<int, int, double> value)
        {
            int n = matrix.Rows, k = matrix.Columns;
            using PackedWeight packed = device.Pack(new WeightSource(new[] { matrix }));
            float[] x = tensors.Draw(random, M * k);
            TensorView y = tensors.Poison(DType.F32, M, n);
            device.Kernels.Linear(tensors.Context, tensors.Activations(x, M, k), packed, y);
            double[] values = [.. Enumerable.Range(0, n * k).Select(i => value(i / k, i % k))];
            Tolerance.F32.Check(OracleOps.Linear(x, values, null, M, k, n), tensors.Read(y), $"{n} x {k}");
        }
    }

    [Fact]
    public void Interleaved_rows_of_4_bit_weights_are_unpacked_by_row_strides()
    {
        using IDevice device = CreateDevice(1);
        var random = new TestRandom(65);
        const int F = 60, K = 96, M = 3;
        using var stored = new ScaledWeightFixture(random, DType.F4E2M1, DType.U8, 2 * F, K);
        WeightMatrix Part(int first) => stored.Matrix with
        {
            Rows = F,
            RowStrideBytes = K,
            Address = stored.Matrix.Address + (first * K / 2),
            Scales = stored.Matrix.Scales! with { RowStrideBytes = 2 * K / 32, Address = stored.Matrix.Scales!.Address + (first * K / 32) },
        };
        double[] values = [.. Enumerable.Range(0, 2 * F).SelectMany(r => stored.Values.AsSpan((r < F ? 2 * r : (2 * (r - F)) + 1) * K, K).ToArray())];
        using var tensors = new PoisonedTensors(device);
        using PackedWeight packed = device.Pack(new WeightSource(new[] { Part(0), Part(1) }));
        float[] x = tensors.Draw(random, M * K);
        TensorView y = tensors.Poison(DType.F32, M, 2 * F);
        device.Kernels.Linear(tensors.Context, tensors.Activations(x, M, K), packed, y);
        Tolerance.F32.Check(OracleOps.Linear(x, values, null, M, K, 2 * F), tensors.Read(y), "interleaved");
    }

    [Fact]
    public void Scales_that_packed_weights_cannot_hold_are_refused()
    {
        using IDevice device = CreateDevice(1);
        var random = new TestRandom(66);
        using var eight = new ScaledWeightFixture(random, DType.F8E4M3Fn, DType.F32, 130, 300);
        using var four = new ScaledWeightFixture(random, DType.F4E2M1, DType.U8, 20, 64);
        using var plain = new WeightFixture(random, DType.BF16, 5, 300);
        WeightScales scales = eight.Matrix.Scales!;
        using var large = new WeightFixture(random, DType.F32, 2, 3, 1e6);
        WeightMatrix[][] refused =
        [
            [eight.Matrix with { Scales = scales with { BlockColumns = 64 } }],
            [eight.Matrix with { Scales = scales with { FirstColumn = 5 } }],
            [eight.Matrix with { Scales = scales with { DType = DType.I32 } }],
            [eight.Matrix, plain.Matrix],
            [plain.Matrix with { Scales = scales }],
            [four.Matrix with { Scales = null }],
            [four.Matrix with { Scales = scales }],
            [four.Matrix with { Scales = four.Matrix.Scales! with { BlockColumns = 16 } }],
            [four.Matrix with { ColumnStrideBytes = 3 }],

            // Panels of the CPU keep scales below 256.
            .. device.Kind == DeviceKind.Cpu ? [[eight.Matrix with { Scales = scales with { Address = large.Matrix.Address } }]] : Array.Empty<WeightMatrix[]>(),
        ];
        for (int i = 0; i < refused.Length; i++)
        {
            var source = new WeightSource(refused[i]);
            string message = Assert.Throws<NotSupportedException>(() => device.Pack(source).Dispose()).Message;
            Assert.Contains(refused[i][^1].Name, message, StringComparison.Ordinal);
        }

        using var tensors = new PoisonedTensors(device, 1 << 16);
        using PackedWeight table = device.Pack(new WeightSource(new[] { eight.Matrix }));
        Assert.Throws<NotSupportedException>(() => device.Kernels.Embedding(tensors.Context, tensors.I32([1], 1), table, 1, tensors.PoisonActivations(1, 300)));
    }

    [Theory]
    [InlineData(DType.F8E4M3Fn, 1.1)]
    [InlineData(DType.F4E2M1, 0.55)]
    public void Small_elements_stay_small_in_memory(DType dtype, double bytesPerElement)
    {
        using IDevice device = CreateDevice(1);
        using var weight = new ScaledWeightFixture(new TestRandom(67), dtype, dtype == DType.F4E2M1 ? DType.U8 : DType.F32, 480, 512);
        using PackedWeight packed = device.Pack(new WeightSource(new[] { weight.Matrix }));
        Assert.InRange(packed.SizeBytes, 1, (long)(480 * 512 * bytesPerElement));
    }
}
