using Rocm.Inference.Devices;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Conformance.Attention;

/// <summary>Absorbed latent attention of a device against the oracle, the unabsorbed form, and itself where its bits must not change.</summary>
public abstract class MlaDecodeConformance
{
    protected abstract IDevice CreateDevice(int numThreads);

    /// <summary>How many of so many cases to run.</summary>
    protected virtual int Cases(int all) => all;

    /// <summary>Numbers of host threads that a result may not depend on.</summary>
    protected virtual int[] Threads => [1, 2, 3];

    [Theory]
    [InlineData(401)]
    [InlineData(402)]
    [InlineData(403)]
    public void Any_mix_of_shapes_and_rows_equals_the_oracle(int seed)
    {
        using IDevice device = CreateDevice(2);
        var random = new TestRandom(seed);
        double worst = 0;
        for (int i = 0; i < Cases(8); i++)
        {
            int heads = random.Pick(1, 3, 4, 16, 20, 24), rank = random.Pick(256, 512, 40, 33), block = random.Pick(1, 3, 16, 64);
            if (device.ActivationDType != DType.F32) rank = (rank + 7) / 8 * 8;
            int longest = rank * heads > 4000 ? 150 : 900;
            var rows = new AttentionRowCase[random.Next(1, 5)];
            for (int r = 0; r < rows.Length; r++)
            {
                int length = Math.Min(longest, random.Pick(1, block, block + 1, 47, 48, 49, 384, 385, random.Next(1, longest)));
                int query = Math.Min(length, random.Pick(0, 1, 1, 2, 5, 8));
                rows[r] = new AttentionRowCase(length - query, query);
            }

            int rope = random.Pick(0, 64, 16, 5);
            if (device.ActivationDType != DType.F32) rope = (rope + 7) / 8 * 8;
            var c = new MlaCase(random, heads, rank, rope, PoisonedTensors.CacheType(device, random.Pick(DType.BF16, DType.F16, DType.F32)), block, rows, device: device);
            worst = Math.Max(worst, Check(device, c, $"seed {seed}, case {i}: {c.Description}"));
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}: largest error {worst:F3} of the allowed");
    }

    [Fact]
    public void Every_number_of_heads_with_one_to_eight_tokens_equals_the_oracle()
    {
        using IDevice device = CreateDevice(2);
        for (int heads = 1; heads <= 128; heads += 128 / Cases(128))
        {
            int query = 1 + (heads % 8);
            Check(device, new MlaCase(new TestRandom(heads), heads, 32, 8, DType.BF16, 16, [new(50 - query, query), new(0, 1 + ((heads + 3) % 8))], device: device), $"{heads} heads");
        }
    }

    [Theory]
    [InlineData(16, 8)]
    [InlineData(20, 3)]
    [InlineData(96, 2)]
    [InlineData(128, 1)]
    public void Deepseek_rows_equal_the_oracle(int heads, int query)
    {
        using IDevice device = CreateDevice(2);
        var c = new MlaCase(new TestRandom(heads), heads, 512, 64, DType.BF16, 64, [new(120 - query, query), new(0, 1)], device: device);
        Check(device, c, c.Description);
    }

    [Theory]
    [InlineData(DType.F8E4M3Fn, 1f)]
    [InlineData(DType.F8E4M3Fn, 0.37f)]
    [InlineData(DType.F8E4M3Fnuz, 0.02f)]
    [InlineData(DType.F8E5M2, 3f)]
    public void An_8_bit_cache_is_read_by_its_type_with_one_scale_for_the_row(DType dtype, float scale)
    {
        using IDevice device = CreateDevice(2);
        var c = new MlaCase(new TestRandom(7), 5, 128, 64, dtype, 16, [new(100, 1), new(430, 3), new(0, 2)], scale, device);
        Check(device, c, c.Description);
    }

    [Fact]
    public void A_token_has_the_same_bits_in_any_chunk_in_any_batch_however_keys_are_shared_out_and_on_any_number_of_threads()
    {
        foreach (int heads in new[] { 3, 16 })
        {
            var random = new TestRandom(heads);
            using IDevice first = CreateDevice(1);
            var c = new MlaCase(random, heads, 64, 16, DType.BF16, 16, [new(890, 11), new(30, 2), new(1000, 1)], device: first);
            float[]? reference = null;
            int width = heads * 64;
            foreach (int threads in Threads)
            {
                using IDevice device = CreateDevice(threads);
                foreach (KvSplit split in new[] { KvSplit.Fixed, KvSplit.Occupancy })
                {
                    using var tensors = new PoisonedTensors(device, 1024);
                    float[] whole = c.Run(tensors, split, (0, 0, 11))[0].Output;
                    reference ??= whole;
                    Same(reference, whole, $"{threads} threads, {split}");
                    Same(reference, c.Run(tensors, split, (1, 0, 2), (0, 0, 11), (2, 0, 1))[1].Output, $"{threads} threads, {split}, in a batch");
                    for (int token = 0; token < 11;)
                    {
                        int count = Math.Min(11 - token, random.Pick(1, 2, 7));
                        float[] part = c.Run(tensors, split, (2, 0, 1), (0, token, count))[1].Output;
                        Same(reference.AsSpan(token * width, count * width).ToArray(), part, $"{threads} threads, {split}, tokens {token}+{count}");
                        token += count;
                    }
                }
            }
        }
    }

    [Fact]
    public void Absorbed_and_unabsorbed_attention_agree_with_the_formulas()
    {
        // q·k = (q_nope W_UKᵀ)·c + q_pe·k_pe, and Σ p (c W_UV) = (Σ p c) W_UV.
        using IDevice device = CreateDevice(2);
        Assert.SkipWhen(device.Kind == DeviceKind.Hip, "The formulas are exact in f32 operands only, which a GPU's kernels do not take.");
        var random = new TestRandom(77);
        const int Heads = 3, Rank = 64, Nope = 24, Rope = 16, V = 20, S = 130;
        float[] latent = random.Floats(S * Rank), keyRope = random.Floats(S * Rope), queryNope = random.Floats(Heads * Nope), queryRope = random.Floats(Heads * Rope);
        float[] up = random.Floats(Heads * Rank * Nope, 0.2), project = random.Floats(Heads * Rank * V, 0.2);
        float scale = (float)(1 / Math.Sqrt(Nope + Rope));
        var keys = new double[S * Heads * (Nope + Rope)];
        var values = new double[S * Heads * V];
        for (int j = 0; j < S; j++)
        {
            for (int h = 0; h < Heads; h++)
            {
                for (int i = 0; i < Nope; i++) keys[((((j * Heads) + h) * (Nope + Rope)) + i)] = Enumerable.Range(0, Rank).Sum(l => (double)latent[(j * Rank) + l] * up[(((h * Rank) + l) * Nope) + i]);
                for (int i = 0; i < Rope; i++) keys[((((j * Heads) + h) * (Nope + Rope)) + Nope + i)] = keyRope[(j * Rope) + i];
                for (int i = 0; i < V; i++) values[(((j * Heads) + h) * V) + i] = Enumerable.Range(0, Rank).Sum(l => (double)latent[(j * Rank) + l] * project[(((h * Rank) + l) * V) + i]);
            }
        }

        float[] whole = [.. Enumerable.Range(0, Heads).SelectMany(h => queryNope.AsSpan(h * Nope, Nope).ToArray().Concat(queryRope.AsSpan(h * Rope, Rope).ToArray()))];
        var oracle = new OracleAttention { NumQoHeads = Heads, NumKvHeads = Heads, HeadDim = Nope + Rope, VHeadDim = V, Scale = scale };
        double[] expected = oracle.Attend(whole, S - 1, keys, values);

        using var tensors = new PoisonedTensors(device);
        AttentionSpec spec = new()
        {
            Kind = AttentionKind.Mla, NumQoHeads = Heads, NumKvHeads = 1, HeadDim = Nope + Rope, VHeadDim = V, KvLoraRank = Rank, QkRopeHeadDim = Rope, QkNopeHeadDim = Nope,
            SoftmaxScale = scale, KvDType = DType.F32, MaxSeqLen = S,
        };
        TensorView output = tensors.Poison(DType.F32, 1, Heads, Rank), offsets = tensors.I32([0, 1], 2), lengths = tensors.I32([S], 1);
        float[] rows = [.. Enumerable.Range(0, S).SelectMany(j => latent.AsSpan(j * Rank, Rank).ToArray().Concat(keyRope.AsSpan(j * Rope, Rope).ToArray()))];
        float[] absorbed = [.. Enumerable.Range(0, Heads * Rank).Select(i => (float)Enumerable.Range(0, Nope).Sum(n => (double)queryNope[(i / Rank * Nope) + n] * up[(i * Nope) + n]))];
        device.AttentionKernels.MlaDecode(tensors.Context, new MlaDecodeArgs
        {
            Spec = spec, Query = tensors.F32(absorbed, 1, Heads, Rank), QueryRope = tensors.F32(queryRope, 1, Heads, Rope),
            Cache = new KvCacheView { Layout = KvLayoutKind.MlaLatent, BlockSize = S, Key = tensors.F32(rows, 1, S, Rank + Rope) },
            CuSeqlensQ = offsets, SeqLens = lengths, BlockTable = tensors.I32([0], 1, 1), NumRows = 1, MaxQueryLen = 1, MaxSeqLen = S, Output = output,
        });
        float[] attended = tensors.Read(output);
        float[] decoded = [.. Enumerable.Range(0, Heads * V).Select(i => (float)Enumerable.Range(0, Rank).Sum(l => (double)attended[(i / V * Rank) + l] * project[(((i / V * Rank) + l) * V) + (i % V)]))];
        Tolerance.F32.Check(expected, decoded, "absorbed");

        foreach (bool packed in new[] { false, true })
        {
            TensorView flash = tensors.Poison(DType.F32, 1, Heads, V);
            var args = new FlashVarlenArgs
            {
                Spec = spec, Query = tensors.F32(queryNope, 1, Heads, Nope), QueryRope = tensors.F32(queryRope, 1, Heads, Rope),
                Key = tensors.F32([.. keys.Select(k => (float)k)], S, Heads, Nope + Rope).Slice(2, 0, Nope), KeyRope = tensors.F32(keyRope, S, 1, Rope),
                Value = tensors.F32([.. values.Select(v => (float)v)], S, Heads, V), CuSeqlensQ = offsets, CuSeqlensK = tensors.I32([0, S], 2),
                NumRows = 1, MaxQueryLen = 1, MaxKeyLen = S, Causal = true, Output = flash,
            };
            if (packed) device.AttentionKernels.FlashVarlenPacked(tensors.Context, args);
            else device.AttentionKernels.FlashVarlen(tensors.Context, args);
            Tolerance.F32.Check(expected, tensors.Read(flash), packed ? "packed" : "flash");
        }
    }

    [Fact]
    public void A_table_that_points_outside_the_cache_and_queries_of_another_width_are_refused()
    {
        using IDevice device = CreateDevice(2);
        Assert.SkipWhen(device.Kind == DeviceKind.Hip, "A GPU's block table is in its own memory: the host cannot look at it without waiting for the GPU.");
        var c = new MlaCase(new TestRandom(9), 2, 16, 8, DType.BF16, 16, [new(40, 1)]);
        c.BlockTable[1] = c.NumBlocks;
        using var tensors = new PoisonedTensors(device, 1024);
        Assert.Throws<InvalidOperationException>(() => c.Run(tensors, KvSplit.Fixed, (0, 0, 1)));
        TensorView query = tensors.F32(new float[24], 1, 1, 24);
        Assert.Throws<ArgumentException>(() => device.AttentionKernels.MlaDecode(tensors.Context, new MlaDecodeArgs
        {
            Spec = c.Spec, Query = query, QueryRope = query,
            Cache = new KvCacheView { Layout = KvLayoutKind.MlaLatent, BlockSize = 4, Key = tensors.Poison(DType.BF16, 2, 4, 24) },
            CuSeqlensQ = default, SeqLens = default, BlockTable = default, NumRows = 0, MaxQueryLen = 0, MaxSeqLen = 0, Output = query,
        }));
    }

    private static double Check(IDevice device, MlaCase c, string what)
    {
        using var tensors = new PoisonedTensors(device, 1024);
        (float[] Output, float[] Lse)[] actual = c.Run(tensors, KvSplit.Fixed, [.. c.Rows.Select((r, i) => (i, 0, r.QueryLen))]);
        double worst = 0;
        for (int r = 0; r < c.Rows.Count; r++)
        {
            (double[] output, double[] lse) = c.Expected(r);
            worst = Math.Max(worst, tensors.AttentionTolerance.Check(output, actual[r].Output, $"{what}, row {r}"));
            for (int i = 0; i < lse.Length; i++)
                Assert.True(Math.Abs(lse[i] - actual[r].Lse[i]) < 1e-4, $"{what}, row {r}: LSE {i} is {actual[r].Lse[i]}, expected {lse[i]}.");
        }

        tensors.Verify();
        return worst;
    }

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
