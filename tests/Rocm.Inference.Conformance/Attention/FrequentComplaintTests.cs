using Rocm.Inference.Attention;
using Rocm.Inference.Attention.Backends;
using Rocm.Inference.Conformance.Attention.Backends;
using Rocm.Inference.Devices.Cpu;
using Rocm.Inference.TestKit;
using Rocm.Inference.TestKit.Fakes;
using Xunit;

namespace Rocm.Inference.Conformance.Attention;

/// <summary>What users of the backends' namesakes complain of most, as tests; the numbers are those of the list of complaints (17.1 to 17.10).</summary>
public sealed class FrequentComplaintTests : IDisposable
{
    private readonly CpuDevice _device = new(new CpuDeviceOptions { NumThreads = 2 });

    public static TheoryData<string> All => [.. BackendRuns.MhaNames, .. BackendRuns.MlaNames];

    public static TheoryData<string> MultiHead => [.. BackendRuns.MhaNames];

    public static TheoryData<string> Latent => [.. BackendRuns.MlaNames];

    public void Dispose() => _device.Dispose();

    [Theory]
    [MemberData(nameof(Latent))]
    public void C1_Latent_backends_take_every_head_count_with_1_to_8_new_tokens(string name)
    {
        for (int heads = 1; heads <= 128; heads++)
        {
            AttentionSpec spec = BackendCells.Mla(heads, rank: 16, nope: 4, rope: 4, value: 4, cache: heads % 2 == 0 ? DType.BF16 : DType.F8E4M3Fn);
            var requests = new AttentionRequests(spec, [.. Enumerable.Range(1, 8).Select(q => 3 + q)], seed: heads);
            BackendRuns.Check(
                _device, requests, new BackendRun(name), [.. Enumerable.Range(0, 8).Select(r => (r, 3))], [.. Enumerable.Range(0, 8).Select(r => (r, r + 1))]);
        }
    }

    [Theory]
    [MemberData(nameof(All))]
    public void C2_An_fp8_cache_keeps_its_type_its_scales_and_saturates_large_keys(string name)
    {
        bool latent = BackendRuns.MlaNames.Contains(name);
        foreach (DType type in new[] { DType.F8E4M3Fn, DType.F8E4M3Fnuz, DType.F8E5M2 })
        {
            AttentionSpec spec = (latent ? BackendCells.Mla(4, cache: type) : BackendCells.Mha(4, 2, 32, cache: type)) with { HasKvScales = true };
            foreach (float scale in new[] { 0.0037f, 1f, 41f })
                BackendRuns.Check(_device, new AttentionRequests(spec, [70], seed: 2, [scale]), new BackendRun(name), [(0, 40)], [(0, 29)], [(0, 1)]);

            // Keys (the rotary part of latent ones) far beyond the largest finite value: saturated, not NaN. Scores are kept small by the scale.
            AttentionSpec small = spec with { SoftmaxScale = 1e-4f };
            BackendRuns.Check(_device, new AttentionRequests(small, [70], seed: 3, [0.01f], keySize: 1000), new BackendRun(name), [(0, 40)], [(0, 29)], [(0, 1)]);
        }
    }

    [Theory]
    [MemberData(nameof(All))]
    public void C3_Writer_and_readers_of_a_layout_agree_wherever_the_blocks_lie(string name)
    {
        AttentionSpec spec = BackendRuns.MlaNames.Contains(name) ? BackendCells.Mla(4) : BackendCells.Mha(6, 3, 48, 32);
        var requests = new AttentionRequests(spec, [117, 90], seed: 3);
        (int, int)[][] steps = [[(0, 60), (1, 33)], [(0, 30), (1, 1)], [(0, 1), (1, 50)], [(0, 9)], [(0, 1), (1, 3)]];
        List<float[]> first = BackendRuns.Check(_device, requests, new BackendRun(name), steps);
        foreach (int order in new[] { 2, 3 })
            BackendRuns.SameBits(first, BackendRuns.Check(_device, requests, new BackendRun(name) { Seed = order }, steps), $"{name}, order of blocks {order}");
    }

    [Theory]
    [MemberData(nameof(All))]
    public void C4_A_single_long_row_is_split_over_the_threads(string name)
    {
        // Speed is the benchmarks' business; here, that a long row leaves partial results to merge, which only a split row does.
        AttentionSpec spec = BackendRuns.MlaNames.Contains(name) ? BackendCells.Mla(1) : BackendCells.Mha(1, 1, 16);
        long PeakOfDecode(int length)
        {
            var requests = new AttentionRequests(spec, [length], seed: 4);
            using BackendHarness prefilled = BackendRuns.Create(_device, requests, new BackendRun(name) { MaxNumTokens = 4000 });
            prefilled.Step((0, length - 1));
            prefilled.RenewContext();
            prefilled.Step((0, 1));
            return prefilled.PeakBytes;
        }

        Assert.True(PeakOfDecode(4000) > PeakOfDecode(20) + 1000, $"{name}: {PeakOfDecode(4000)} and {PeakOfDecode(20)} bytes of scratch");
    }

    [Fact]
    public void C5_The_choice_follows_the_written_order_and_explains_every_backend()
    {
        foreach (AttentionPreset preset in Enum.GetValues<AttentionPreset>())
        {
            foreach (AttentionSpec spec in new[] { BackendCells.Mha(8, 2, 64), BackendCells.Mla(16) })
            {
                (_, AttentionSelection selection) = new AttentionBackendSelector([], preset).Select([spec], _device, null);
                Assert.Equal(AttentionPriorities.List(preset, AttentionDeviceClass.Cpu, spec.Kind)[0], selection.Name);
                Assert.Equal(6, selection.Refused.Count);
                Assert.All(selection.Refused, refused => Assert.NotEmpty(refused.Reasons));
                Assert.All(selection.Refused, refused => Assert.Contains($"not {refused.Name}: {refused.Reasons[0]}", selection.ToString(), StringComparison.Ordinal));
            }
        }
    }

    [Theory]
    [InlineData("gfx1100")]
    [InlineData("gfx1151")]
    [InlineData("gfx1201")]
    public void C6_A_radeon_is_refused_what_does_not_fit_its_registers_before_anything_runs(string architecture)
    {
        var radeon = new NamedDevice(DeviceKind.Hip, architecture);
        foreach (IAttentionBackend backend in LibraryBackends.Create())
        {
            AttentionSpec spec = (backend.Kind == AttentionKind.Mla ? BackendCells.Mla(16) : BackendCells.Mha(8, 1, 128)) with { DType = DType.BF16 };
            Assert.True(backend.CheckSupport(spec, radeon).IsSupported);
            AttentionSpec large = spec with { HeadDim = 1024, QkNopeHeadDim = spec.QkNopeHeadDim == 0 ? 0 : 1024 - spec.QkRopeHeadDim };
            Assert.StartsWith("head_size not supported on a GPU: 1024", Assert.Single(backend.CheckSupport(large, radeon).Reasons), StringComparison.Ordinal);
        }
    }

    [Theory]
    [MemberData(nameof(All))]
    public void C7_Steps_of_growing_and_shrinking_size_allocate_nothing_on_the_device(string name)
    {
        // No graph is captured on the CPU: what a replay would need, buffers that stay where they are and no allocation, holds for plain steps.
        AttentionSpec spec = BackendRuns.MlaNames.Contains(name) ? BackendCells.Mla(4) : BackendCells.Mha(4, 2, 32);
        var requests = new AttentionRequests(spec, [400, 200, 50], seed: 7);
        using BackendHarness harness = BackendRuns.Create(new SpyDevice(_device), requests, new BackendRun(name));
        foreach ((int, int)[] step in new (int, int)[][] { [(0, 3)], [(0, 200), (1, 60)], [(0, 1)], [(1, 100), (2, 1)], [(0, 1), (1, 1), (2, 1)], [(0, 150), (2, 40)] })
        {
            harness.Check(Tolerance.F32, "growing and shrinking", step);
            Assert.Equal(0, harness.AllocationsInStep);
        }
    }

    [Theory]
    [MemberData(nameof(All))]
    public void C8_Ragged_verification_equals_decoding_row_by_row(string name)
    {
        AttentionSpec spec = BackendRuns.MlaNames.Contains(name) ? BackendCells.Mla(4) : BackendCells.Mha(8, 2, 32);
        var requests = new AttentionRequests(spec, [.. Enumerable.Range(1, 8).Select(q => 40 + q)], seed: 8);
        (int, int)[] prefill = [.. Enumerable.Range(0, 8).Select(r => (r, 40))], verify = [.. Enumerable.Range(0, 8).Select(r => (r, r + 1))];
        List<float[]> together = BackendRuns.Check(_device, requests, new BackendRun(name), prefill, verify);
        (int, int)[][] singles = [.. Enumerable.Range(0, 8).Select(token => Enumerable.Range(token, 8 - token).Select(r => (r, 1)).ToArray())];
        List<float[]> oneByOne = BackendRuns.Check(_device, requests, new BackendRun(name), [prefill, .. singles]);

        // Both are within the tolerance of the oracle; greedy verification needs them close to each other.
        int width = spec.NumQoHeads * spec.VHeadDim, at = 8;
        for (int token = 0; token < 8; token++)
        {
            for (int r = token; r < 8; r++, at++)
                new Tolerance(2e-6, 4e-5).Check([.. oneByOne[at].Select(v => (double)v)], together[8 + r].AsSpan(token * width, width), $"{name}, row {r}, token {token}");
        }
    }

    [Theory]
    [MemberData(nameof(MultiHead))]
    public void C9_Windows_sinks_and_poisoned_pages_give_no_NaN_and_no_wrong_weight(string name)
    {
        foreach (int window in new[] { 1, 2, 16, 127, 128, 4096 })
        {
            AttentionSpec spec = BackendCells.Mha(2, 1, 16) with { SlidingWindow = window, HasSinks = true };
            var requests = new AttentionRequests(spec, [260, 1], seed: 9);
            foreach (int workspace in new[] { 16, 64, 1000 })
                BackendRuns.Check(_device, requests, new BackendRun(name) { WorkspaceTokens = workspace }, [(0, 130)], [(0, 100), (1, 1)], [(0, 20)], [(0, 1)], [(0, 8)], [(0, 1)]);
        }
    }

    [Theory]
    [MemberData(nameof(All))]
    public void C10_Every_block_size_and_head_size_of_the_known_models_runs_or_is_refused(string name)
    {
        bool latent = BackendRuns.MlaNames.Contains(name);
        AttentionSpec small = latent ? BackendCells.Mla(2) : BackendCells.Mha(6, 1, 32);
        IAttentionBackend backend = LibraryBackends.Create().Single(b => b.Name == name);
        foreach (int block in new[] { 1, 16, 32, 64, 128, 256, 272, 544, 784, 1024, 1056 })
        {
            if (block % backend.GetKvCacheLayout(small).BlockSizeMultiple != 0) continue;
            BackendRuns.Check(_device, new AttentionRequests(small, [90], seed: block), new BackendRun(name) { BlockSize = block }, [(0, 50)], [(0, 39)], [(0, 1)]);
        }

        AttentionSpec[] specs = latent
            ? [BackendCells.Mla(2, 512, 128, 64, 128), BackendCells.Mla(2, 256, 64, 64, 96), BackendCells.Mla(2, 512, 128, 0, 128)]
            : [.. new[] { 32, 64, 72, 80, 96, 112, 128, 160, 192, 224, 256, 512 }.Select(dim => BackendCells.Mha(2, 1, dim))];
        foreach (AttentionSpec spec in specs)
            BackendRuns.Check(_device, new AttentionRequests(spec, [45], seed: spec.HeadDim), new BackendRun(name) { WorkspaceTokens = 16 }, [(0, 24)], [(0, 20)], [(0, 1)]);
    }
}
