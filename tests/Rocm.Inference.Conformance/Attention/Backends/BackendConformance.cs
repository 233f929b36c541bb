using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Conformance.Attention.Backends;

/// <summary>
/// Every backend of a device against the oracle and against the others. The tolerance is that of fp32 arithmetic: all backends compute with the numbers
/// that the cache holds (rounded, dequantized), so that they differ in the order of fp32 sums and in nothing else; each is within
/// <see cref="Tolerance.F32"/> of the oracle, so that two of them are within twice that of each other, whatever the element type of the cache.
/// </summary>
public abstract class BackendConformance
{
    private static readonly Tolerance Between = new(2e-6, 4e-5);

    protected abstract IDevice CreateDevice(int numThreads);

    public static TheoryData<DType, string> MhaCells()
    {
        var cells = new TheoryData<DType, string>();
        foreach (DType type in new[] { DType.F32, DType.F16, DType.BF16, DType.F8E4M3Fn, DType.F8E4M3Fnuz, DType.F8E5M2 })
        {
            foreach (string feature in new[] { "plain", "window", "window of 1", "soft-cap", "sinks", "alibi", "all" }) cells.Add(type, feature);
            if (type.IsFloat8()) cells.Add(type, "scales");
        }

        return cells;
    }

    [Theory]
    [MemberData(nameof(MhaCells))]
    public void All_multi_head_backends_agree_with_the_oracle_and_each_other(DType cache, string feature) =>
        RunCell(BackendCells.With(BackendCells.Mha(6, 2, 32, 48, cache), feature), $"{cache}, {feature}");

    [Theory]
    [InlineData(DType.F32, "plain")]
    [InlineData(DType.F16, "plain")]
    [InlineData(DType.BF16, "plain")]
    [InlineData(DType.F8E4M3Fn, "plain")]
    [InlineData(DType.F8E4M3Fn, "scales")]
    [InlineData(DType.F8E4M3Fnuz, "scales")]
    [InlineData(DType.F8E5M2, "scales")]
    public void All_latent_backends_agree_with_the_oracle_and_each_other(DType cache, string feature) =>
        RunCell(BackendCells.With(BackendCells.Mla(5, cache: cache), feature), $"{cache}, {feature}");

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Any_mix_of_decode_verify_extend_and_prefill_rows_equals_the_oracle_in_every_multi_head_backend(int seed)
    {
        using IDevice device = CreateDevice(2);
        var random = new TestRandom(seed);
        int kvHeads = random.Pick(1, 2), ratio = random.Pick(1, 4, 6, 7, 16);
        DType cache = random.Pick(DType.F32, DType.BF16, DType.F16, DType.F8E4M3Fn);
        AttentionSpec spec = BackendCells.Mha(kvHeads * ratio, kvHeads, random.Pick(16, 32, 80), cache: cache) with
        {
            SlidingWindow = random.Chance(0.4) ? random.Pick(2, 16, 50) : null,
            LogitsSoftCap = random.Chance(0.3) ? 5 : 0,
            HasSinks = random.Chance(0.3),
            HasAlibi = random.Chance(0.3),
            HasKvScales = cache.IsFloat8() && random.Chance(0.5),
        };
        Fuzz(device, random, spec, random.Pick(1, 2, 4) * BackendCells.BlockSize(cache));
    }

    [Theory]
    [InlineData(11)]
    [InlineData(12)]
    [InlineData(13)]
    public void Any_mix_of_decode_verify_extend_and_prefill_rows_equals_the_oracle_in_every_latent_backend(int seed)
    {
        using IDevice device = CreateDevice(2);
        var random = new TestRandom(seed);

        // A small latent moves the border between the two paths down to a few tokens, so that both run.
        AttentionSpec spec = BackendCells.Mla(random.Pick(1, 3, 8, 17), rank: random.Pick(24, 64), nope: 8, rope: random.Pick(4, 8), value: 12, cache: random.Pick(DType.F32, DType.BF16));
        Fuzz(device, random, spec, random.Pick(1, 7, 16));
    }

    [Theory]
    [InlineData(AttentionKind.Mha)]
    [InlineData(AttentionKind.Mla)]
    public void A_decode_row_gives_the_same_bits_whatever_else_is_in_the_batch(AttentionKind kind)
    {
        using IDevice device = CreateDevice(2);
        AttentionSpec spec = kind == AttentionKind.Mla ? BackendCells.Mla(4) : BackendCells.Mha(8, 2, 64);
        var requests = new AttentionRequests(spec, [900, 40, 130, 60], seed: 5);
        var limits = new BatchLimits(1024, 8, 1024);
        foreach (IAttentionBackend backend in BackendCells.Backends(kind, 64))
        {
            var results = new List<float[]>();
            foreach (bool crowded in new[] { false, true })
            {
                using var harness = new BackendHarness(device, backend, requests, 16, limits, seed: 6);
                harness.Step((0, 890));
                if (crowded)
                {
                    harness.Step((2, 100));
                    results.Add(harness.Step((1, 40), (0, 1), (2, 30), (3, 60))[1]);
                }
                else
                {
                    results.Add(harness.Step((0, 1))[0]);
                }
            }

            Same(results[0], results[1], backend.Name);
        }
    }

    [Theory]
    [InlineData(AttentionKind.Mha)]
    [InlineData(AttentionKind.Mla)]
    public void An_extend_row_of_several_chunks_gives_the_same_bits_alone_and_in_a_batch(AttentionKind kind)
    {
        using IDevice device = CreateDevice(2);
        AttentionSpec spec = kind == AttentionKind.Mla ? BackendCells.Mla(4) : BackendCells.Mha(8, 2, 32);
        int[] lengths = [500, 300, 320, 90];
        var requests = new AttentionRequests(spec, lengths, seed: 8);
        var limits = new BatchLimits(1024, 8, 1024);
        foreach (IAttentionBackend backend in BackendCells.Backends(kind, 96))
        {
            float[] alone, together;
            using (var harness = new BackendHarness(device, backend, requests, 16, limits, seed: 9))
            {
                harness.Step((0, 300));
                alone = harness.Step((0, 200))[0];
            }

            using (var harness = new BackendHarness(device, backend, requests, 16, limits, seed: 10))
            {
                harness.Step((0, 300), (1, 70), (2, 210));
                together = harness.Step((1, 220), (2, 110), (0, 200), (3, 90))[2];
            }

            Same(alone, together, backend.Name);
        }
    }

    [Theory]
    [InlineData(AttentionKind.Mha)]
    [InlineData(AttentionKind.Mla)]
    public void The_workspace_that_a_backend_asks_for_holds_its_largest_step_and_is_not_mostly_air(AttentionKind kind)
    {
        using IDevice device = CreateDevice(2);
        AttentionSpec spec = kind == AttentionKind.Mla ? BackendCells.Mla(8) : BackendCells.Mha(8, 2, 32);
        var requests = new AttentionRequests(spec, [1400, 1400], seed: 3);
        var limits = new BatchLimits(200, 2, 1400);
        foreach (IAttentionBackend backend in BackendCells.Backends(kind, 1024))
        {
            using var harness = new BackendHarness(device, backend, requests, 16, limits, seed: 4);
            for (int i = 0; i < 13; i++) harness.Step((0, 100), (1, 100));
            harness.Step((0, 1), (1, 1));
            Assert.InRange(harness.PeakBytes, 1, harness.WorkspaceBytes);
            TestContext.Current.TestOutputHelper?.WriteLine($"{backend.Name}: {harness.PeakBytes} of {harness.WorkspaceBytes} bytes");
            if (harness.Executor.Order == BatchOrder.DecodeExtendPrefill) Assert.InRange(harness.PeakBytes, harness.WorkspaceBytes / 3, harness.WorkspaceBytes);
        }
    }

    /// <summary>A prefill, extends over several chunks, a verification, a decode and a second request, in all backends of the kind.</summary>
    private void RunCell(AttentionSpec spec, string what)
    {
        using IDevice device = CreateDevice(2);
        var requests = new AttentionRequests(spec, [110, 70], seed: 21);
        (int, int)[][] steps = [[(0, 40)], [(0, 30), (1, 19)], [(1, 1), (0, 33)], [(0, 5), (1, 30)], [(0, 1), (1, 1)], [(1, 3), (0, 1)]];
        var limits = new BatchLimits(64, 2, 128);
        List<BackendHarness> harnesses = [.. BackendCells.Backends(spec.Kind, 32).Select(b => new BackendHarness(device, b, requests, BackendCells.BlockSize(spec.KvDType), limits, seed: 22))];
        double worst = 0;
        foreach ((int, int)[] step in steps) worst = Math.Max(worst, Compare(harnesses, requests, what, step));
        harnesses.ForEach(harness => harness.Dispose());
        TestContext.Current.TestOutputHelper?.WriteLine($"{what}: largest error {worst:F3} of the allowed");
    }

    private static void Fuzz(IDevice device, TestRandom random, AttentionSpec spec, int blockSize)
    {
        const int MaxTokens = 160, Requests = 5;
        var requests = new AttentionRequests(spec, [.. Enumerable.Range(0, Requests).Select(_ => random.Next(20, 260))], random.Seed);
        var limits = new BatchLimits(MaxTokens, Requests, 260);
        int workspace = random.Pick(1, 24, 64, 1000);
        string what = $"seed {random.Seed}: {spec}, block {blockSize}, workspace {workspace}";
        List<BackendHarness> harnesses = [.. BackendCells.Backends(spec.Kind, workspace).Select(b => new BackendHarness(device, b, requests, blockSize, limits, random.Seed))];
        var seen = new HashSet<string>();
        double worst = 0;
        for (int step = 0; step < 24; step++)
        {
            var rows = new List<(int, int)>();
            int tokens = 0;
            foreach (int request in Enumerable.Range(0, Requests).OrderBy(_ => random.Next(0, 1000)).Take(random.Next(1, Requests + 1)))
            {
                int length = harnesses[0].Length(request), left = requests.Lengths[request] - length;
                if (left == 0 || random.Chance(0.03))
                {
                    harnesses.ForEach(harness => harness.Reset(request));
                    (length, left) = (0, requests.Lengths[request]);
                }

                int count = Math.Min(Math.Min(left, MaxTokens - tokens), random.Pick(1, 1, 1, 2, 5, 8, 9, 20, 47, 100));
                if (count <= 0) continue;
                rows.Add((request, count));
                tokens += count;
                seen.Add(length == 0 ? "prefill" : count == 1 ? "decode" : count <= 16 ? "verify" : "extend");
            }

            if (rows.Count > 0) worst = Math.Max(worst, Compare(harnesses, requests, $"{what}, step {step}", [.. rows]));
        }

        harnesses.ForEach(harness => harness.Dispose());
        Assert.Equal(4, seen.Count);
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {random.Seed}: largest error {worst:F3} of the allowed");
    }

    /// <summary>One step in all backends: each against the oracle, each against the first.</summary>
    private static double Compare(List<BackendHarness> harnesses, AttentionRequests requests, string what, params (int Request, int QueryLen)[] rows)
    {
        double worst = 0;
        float[][]? first = null;
        int[] before = [.. rows.Select(row => harnesses[0].Length(row.Request))];
        foreach (BackendHarness harness in harnesses)
        {
            float[][] actual = harness.Step(rows);
            for (int i = 0; i < rows.Length; i++)
            {
                string cell = $"{harness.Backend.Name}, {what}, request {rows[i].Request}, {before[i]}+{rows[i].QueryLen}";
                worst = Math.Max(worst, Tolerance.F32.Check(requests.Expected(rows[i].Request, before[i], rows[i].QueryLen), actual[i], cell));
                if (first is not null) Between.Check([.. first[i].Select(v => (double)v)], actual[i], $"{cell}, against {harnesses[0].Backend.Name}");
            }

            first ??= actual;
        }

        return worst;
    }

    private static void Same(float[] expected, float[] actual, string what)
    {
        for (int i = 0; i < expected.Length; i++)
        {
            if (BitConverter.SingleToInt32Bits(expected[i]) != BitConverter.SingleToInt32Bits(actual[i]))
                Assert.Fail($"{what}: element {i} is {actual[i]:R}, was {expected[i]:R}.");
        }
    }
}
