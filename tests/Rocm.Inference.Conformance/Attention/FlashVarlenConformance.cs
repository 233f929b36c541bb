using Rocm.Inference.Devices;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Conformance.Attention;

/// <summary>Both flash implementations of a device against the oracle, in parts against the whole, and against themselves where bits must not change.</summary>
public abstract class FlashVarlenConformance
{
    protected abstract IDevice CreateDevice(int numThreads);

    /// <summary>How many of so many random cases to run.</summary>
    protected virtual int Cases(int all) => all;

    /// <summary>Keys for which the device's matrix units take the weights as rounded at once; null where weights are not rounded.</summary>
    protected virtual int? WeightTile(bool packed, int headDim) => null;

    /// <summary>Numbers of host threads that a result may not depend on.</summary>
    protected virtual int[] Threads => [1, 2, 3];

    [Theory]
    [InlineData(301, false)]
    [InlineData(302, false)]
    [InlineData(301, true)]
    [InlineData(302, true)]
    public void Any_mix_of_features_and_rows_equals_the_oracle(int seed, bool packed)
    {
        using IDevice device = CreateDevice(2);
        var random = new TestRandom(seed);
        double worst = 0, worstRounded = 0;
        for (int i = 0; i < Cases(16); i++)
        {
            FlashCase c = Random(random, device);
            using var tensors = new PoisonedTensors(device, 1024);
            string what = $"seed {seed}, case {i}: {c.Description}";
            (float[] Output, float[] Lse)[] actual = c.Run(tensors, packed, [.. Enumerable.Range(0, c.Rows.Count)]);
            worst = Math.Max(worst, Check(tensors, c, actual, what));
            if (WeightTile(packed, c.Spec.HeadDim) is { } tile)
            {
                for (int r = 0; r < c.Rows.Count; r++)
                    worstRounded = Math.Max(worstRounded, PoisonedTensors.RoundedWeights.Check(c.Expected(r, device.ActivationDType, tile).Output, actual[r].Output, $"{what}, row {r}, weights rounded"));
            }

            tensors.Verify();
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}: largest error {worst:F3} of the allowed, {worstRounded:F3} of weights as rounded");
    }

    [Theory]
    [InlineData(16, 128, 64, 128, false)]
    [InlineData(16, 128, 64, 128, true)]
    [InlineData(3, 64, 64, 256, false)]
    [InlineData(3, 64, 64, 256, true)]
    [InlineData(5, 9, 3, 7, false)]
    [InlineData(5, 9, 3, 7, true)]
    [InlineData(5, 9, 4, 7, false)]
    [InlineData(5, 8, 3, 49, true)]
    public void Keys_with_a_shared_rotary_part_equal_the_oracle(int heads, int nope, int rope, int valueDim, bool packed)
    {
        using IDevice device = CreateDevice(2);
        var random = new TestRandom(heads + nope);
        if (device.ActivationDType != DType.F32) (nope, rope, valueDim) = (Vectors(nope), Vectors(rope), Vectors(valueDim));
        var c = new FlashCase(random, Spec(heads, heads, nope + rope, valueDim), rope, causal: true, [FlashRowCase.Aligned(70, 70), FlashRowCase.Aligned(5, 60)], device);
        using var tensors = new PoisonedTensors(device, 1024);
        Check(tensors, c, c.Run(tensors, packed, 0, 1), c.Description);
        tensors.Verify();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_sink_counts_once_and_alibi_and_window_go_by_position_when_context_comes_in_chunks(bool packed)
    {
        using IDevice device = CreateDevice(2);
        var random = new TestRandom(61);
        foreach (int? window in new int?[] { null, 40, 130 })
        {
            AttentionSpec spec = Shaped(device, Spec(6, 2, 32, 48)) with { HasSinks = true, HasAlibi = true, SlidingWindow = window, LogitsSoftCap = 7 };
            (int Context, int New)[] rows = [(150, 9), (0, 20), (97, 1), (48, 50)];
            var whole = new FlashCase(random, spec, 0, causal: true, [.. rows.Select(r => FlashRowCase.Aligned(r.New, r.Context + r.New))], device);
            using var tensors = new PoisonedTensors(device, 1024);
            int[] all = [0, 1, 2, 3];
            (TensorView output, TensorView lse) = whole.Chunk(causal: true, withSinks: true, [.. rows.Select(r => (r.Context, r.New))]).RunOnDevice(tensors, packed, all);
            foreach ((int first, int end) in new[] { (0, 64), (64, 100), (100, 150) })
            {
                // Rows whose context has ended take part with no keys.
                FlashCase chunk = whole.Chunk(causal: false, withSinks: false, [.. rows.Select(r => (Math.Min(first, r.Context), Math.Min(end, r.Context) - Math.Min(first, r.Context)))]);
                (TensorView partOutput, TensorView partLse) = chunk.RunOnDevice(tensors, packed, all);
                device.AttentionKernels.MergeStates(tensors.Context, new MergeStatesArgs
                {
                    OutputA = partOutput, LseA = partLse, OutputB = output, LseB = lse, Output = output, Lse = lse,
                });
            }

            float[] merged = tensors.Read(output), logs = tensors.Read(lse);
            int width = spec.NumQoHeads * spec.VHeadDim, start = 0;
            for (int r = 0; r < rows.Length; start += rows[r].New, r++)
            {
                (double[] expected, double[] expectedLse) = whole.Expected(r);
                tensors.AttentionTolerance.Check(expected, merged.AsSpan(start * width, rows[r].New * width), $"window {window}, row {r}");
                for (int t = 0; t < rows[r].New; t++)
                {
                    for (int h = 0; h < spec.NumQoHeads; h++)
                        Assert.Equal(expectedLse[(t * spec.NumQoHeads) + h], logs[(h * (int)lse.Dim(1)) + start + t], 1e-4);
                }
            }
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Rows_without_keys_give_zero_and_minus_infinity(bool packed)
    {
        using IDevice device = CreateDevice(2);
        foreach (bool causal in new[] { true, false })
        {
            // No keys; no queries; neither; all keys later than the queries; all keys before the window.
            var c = new FlashCase(
                new TestRandom(62), Shaped(device, Spec(4, 2, 16, 24)) with { SlidingWindow = 10 }, 0, causal,
                [new(3, 0, 100), new(0, 30, 100), new(0, 0, 0), new(2, 30, 5, 60), new(2, 30, 90, 50), new(7, 7, 0)], device);
            using var tensors = new PoisonedTensors(device, 1024);
            (float[] Output, float[] Lse)[] actual = c.Run(tensors, packed, 0, 1, 2, 3, 4, 5);
            foreach (int r in causal ? new[] { 0, 3, 4 } : [0, 4])
            {
                Assert.NotEmpty(actual[r].Lse);
                Assert.All(actual[r].Output, v => Assert.Equal(0, v));
                Assert.All(actual[r].Lse, v => Assert.Equal(float.NegativeInfinity, v));
            }

            Check(tensors, c, actual, c.Description);
            c.Run(tensors, packed);
            tensors.Verify();
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_row_has_the_same_bits_alone_in_a_batch_and_on_any_number_of_threads(bool packed)
    {
        var random = new TestRandom(63);
        for (int i = 0; i < 2; i++)
        {
            using IDevice first = CreateDevice(1);
            AttentionSpec spec = Shaped(first, Features(random, Spec(8, random.Pick(1, 2, 8), random.Pick(32, 33, 64), random.Pick(32, 64))));
            var c = new FlashCase(random, spec, 0, random.Chance(0.7), [FlashRowCase.Aligned(200, 330), FlashRowCase.Aligned(7, 400), FlashRowCase.Aligned(20, 20)], first);
            (float[] Output, float[] Lse)[]? reference = null;
            foreach (int threads in Threads)
            {
                using IDevice device = CreateDevice(threads);
                using var tensors = new PoisonedTensors(device, 1024);
                (float[] Output, float[] Lse)[] batch = c.Run(tensors, packed, 2, 0, 1);
                reference ??= batch;
                for (int r = 0; r < 3; r++)
                {
                    Same(reference[r].Output, batch[r].Output, $"{threads} threads: {c.Description}");
                    Same(reference[r].Lse, batch[r].Lse, $"{threads} threads, LSE: {c.Description}");
                }

                Same(reference[1].Output, c.Run(tensors, packed, 0)[0].Output, $"{threads} threads, alone: {c.Description}");
                Same(reference[2].Output, c.Run(tensors, packed, 1)[0].Output, $"{threads} threads, alone: {c.Description}");
            }
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Many_rows_and_heads_stay_within_the_planned_scratch(bool packed)
    {
        // More panels than one wave of the packed form holds.
        using IDevice device = CreateDevice(2);
        AttentionSpec spec = Spec(24, 24, 192, 128);
        var c = new FlashCase(new TestRandom(64), spec, 64, causal: false, [new(1, 350, 700), new(2, 300, 700), new(1, 1, 700)], device);
        using var tensors = new PoisonedTensors(device, 1024);
        Check(tensors, c, c.Run(tensors, packed, 0, 1, 2), c.Description);
    }

    [Fact]
    public void Offsets_outside_of_the_operands_are_refused()
    {
        using IDevice device = CreateDevice(1);
        Assert.SkipWhen(device.Kind == DeviceKind.Hip, "A GPU's offsets are in its own memory: the host cannot look at them without waiting for the GPU.");
        using var tensors = new PoisonedTensors(device);
        TensorView q = tensors.F32(new float[64], 4, 1, 16), k = tensors.F32(new float[80], 5, 1, 16);
        foreach ((int[] queries, int[] keys) in new (int[], int[])[] { ([0, 5], [0, 5]), ([0, 4], [0, 6]), ([0, 4], [3, 2]), ([2, 1], [0, 5]) })
        {
            var args = new FlashVarlenArgs
            {
                Spec = Spec(1, 1, 16, 16), Query = q, Key = k, Value = k, CuSeqlensQ = tensors.I32(queries, 2), CuSeqlensK = tensors.I32(keys, 2),
                NumRows = 1, MaxQueryLen = 5, MaxKeyLen = 6, Causal = true, Output = tensors.Poison(DType.F32, 4, 1, 16),
            };
            Assert.Throws<ArgumentException>(() => device.AttentionKernels.FlashVarlen(tensors.Context, args));
            Assert.Throws<ArgumentException>(() => device.AttentionKernels.FlashVarlenPacked(tensors.Context, args));
        }
    }

    private static double Check(PoisonedTensors tensors, FlashCase c, (float[] Output, float[] Lse)[] actual, string what)
    {
        double worst = 0;
        for (int r = 0; r < c.Rows.Count; r++)
        {
            (double[] output, double[] lse) = c.Expected(r);
            worst = Math.Max(worst, tensors.AttentionTolerance.Check(output, actual[r].Output, $"{what}, row {r}"));
            for (int i = 0; i < lse.Length; i++)
            {
                if (double.IsNegativeInfinity(lse[i])) Assert.True(float.IsNegativeInfinity(actual[r].Lse[i]), $"{what}, row {r}: LSE {i} is {actual[r].Lse[i]}, expected −∞.");
                else Assert.True(Math.Abs(lse[i] - actual[r].Lse[i]) < 1e-4, $"{what}, row {r}: LSE {i} is {actual[r].Lse[i]}, expected {lse[i]}.");
            }
        }

        return worst;
    }

    /// <summary>The next multiple of what a GPU loads at once.</summary>
    private static int Vectors(int dims) => (dims + 7) / 8 * 8;

    /// <summary>On a GPU, each of whose shapes takes a kernel to compile, a common shape.</summary>
    private static AttentionSpec Shaped(IDevice device, AttentionSpec spec) => device.ActivationDType == DType.F32 ? spec : spec with { HeadDim = 64, VHeadDim = 64 };

    private static FlashCase Random(TestRandom random, IDevice device)
    {
        int kvHeads = random.Pick(1, 2, 3);
        int ratio = random.Pick(1, 2, 4, 6, 7, 8, 16);
        int dim = random.Pick(16, 33, 64, 80, 96, 128, 192, 256);
        int valueDim = random.Chance(0.6) ? dim : random.Pick(16, 48, 64, 128);
        if (device.ActivationDType != DType.F32) (dim, valueDim) = random.Pick((64, 64), (128, 128), (80, 80), (256, 256));
        AttentionSpec spec = Features(random, Spec(kvHeads * ratio, kvHeads, dim, valueDim));
        int longest = dim * ratio * kvHeads > 3000 ? 100 : 500;
        bool causal = random.Chance(0.7);
        var rows = new FlashRowCase[random.Next(1, 5)];
        for (int r = 0; r < rows.Length; r++)
        {
            int keys = Math.Min(longest, random.Pick(0, 1, 47, 48, 49, 97, 192, 193, 384, 385, random.Next(1, longest)));
            int queries = random.Pick(0, 1, 2, 5, 33, 129, keys);
            rows[r] = random.Chance(0.6)
                ? FlashRowCase.Aligned(Math.Min(queries, keys), keys)
                : new FlashRowCase(Math.Min(queries, 40), keys, random.Next(0, 2 * longest), random.Next(0, longest));
        }

        int rope = random.Chance(0.3) ? random.Pick(1, 2, 8, 15) : 0;
        return new FlashCase(random, spec, device.ActivationDType == DType.F32 ? rope : 0, causal, rows, device);
    }

    private static AttentionSpec Features(TestRandom random, AttentionSpec spec) => spec with
    {
        SlidingWindow = random.Chance(0.4) ? random.Pick(1, 2, 16, 47, 48, 100, 250) : null,
        LogitsSoftCap = random.Chance(0.3) ? 5 : 0,
        HasSinks = random.Chance(0.3),
        HasAlibi = random.Chance(0.3),
    };

    private static AttentionSpec Spec(int queryHeads, int kvHeads, int dim, int valueDim) => new()
    {
        NumQoHeads = queryHeads,
        NumKvHeads = kvHeads,
        HeadDim = dim,
        VHeadDim = valueDim,
        SoftmaxScale = (float)(1.5 / Math.Sqrt(dim)),
        MaxSeqLen = 4096,
    };

    private static void Same(float[] expected, float[] actual, string what)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
        {
            if (BitConverter.SingleToInt32Bits(expected[i]) != BitConverter.SingleToInt32Bits(actual[i]))
                Assert.Fail($"{what}: element {i} is {actual[i]:R}, was {expected[i]:R}.");
        }
    }
}
