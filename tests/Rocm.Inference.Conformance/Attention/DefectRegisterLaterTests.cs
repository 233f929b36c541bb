using Rocm.Inference.Attention.Backends;
using Rocm.Inference.Conformance.Attention.Backends;
using Rocm.Inference.Devices;
using Rocm.Inference.Devices.Cpu;
using Rocm.Inference.TestKit;
using Rocm.Inference.TestKit.Fakes;
using Xunit;

namespace Rocm.Inference.Conformance.Attention;

/// <summary>Known defects of the backends' namesakes, D13 to D24 of the register (D22 is beside D1), as tests.</summary>
public sealed class DefectRegisterLaterTests : IDisposable
{
    private static readonly (int, int)[][] Phases = [[(0, 60)], [(0, 30)], [(0, 1)], [(0, 20)], [(0, 5)], [(0, 1)]];

    private readonly CpuDevice _device = new(new CpuDeviceOptions { NumThreads = 2 });

    public static TheoryData<string> Latent => [.. BackendRuns.MlaNames];

    public void Dispose() => _device.Dispose();

    [Fact]
    public void D13_ROCM_ATTN_masks_with_minus_infinity_and_never_loads_what_a_window_has_passed()
    {
        // Scores of tens of thousands: a mask of −10000 would let masked keys win. The window leaves one key, whose value is the answer whatever its score.
        // Blocks that the window has passed are NaN in this harness, so that a walk over the whole context is seen.
        AttentionSpec spec = BackendCells.Mha(4, 2, 32) with { SlidingWindow = 1, SoftmaxScale = 20000 };
        BackendRuns.Check(_device, new AttentionRequests(spec, [117], seed: 13), new BackendRun(AttentionBackendNames.RocmAttn), Phases);
    }

    [Theory]
    [InlineData(AttentionBackendNames.TritonAttn)]
    [InlineData(AttentionBackendNames.RocmAiterUnifiedAttn)]
    [InlineData(AttentionBackendNames.RocmAttn)]
    [InlineData(AttentionBackendNames.RocmAiterFa)]
    public void D14_A_prefill_in_the_batch_changes_no_bit_of_a_decode_row_and_its_split_stays(string name)
    {
        var requests = new AttentionRequests(BackendCells.Mha(4, 1, 32), [1500, 200], seed: 14);
        var run = new BackendRun(name) { MaxNumTokens = 1500 };
        float[] alone, together;
        using (BackendHarness harness = BackendRuns.Create(_device, requests, run))
        {
            harness.Step((0, 1499));
            alone = harness.Step((0, 1))[0];
        }

        using (BackendHarness harness = BackendRuns.Create(_device, requests, run))
        {
            harness.Step((0, 1499));
            together = harness.Step((0, 1), (1, 200))[0];
        }

        BackendRuns.SameBits([alone], [together], name);
    }

    [Theory]
    [MemberData(nameof(Latent))]
    public void D15_Latent_backends_honour_the_scale_of_an_fp8_cache_with_few_heads(string name)
    {
        foreach (int heads in new[] { 1, 8, 16 })
        {
            AttentionSpec spec = BackendCells.Mla(heads, cache: DType.F8E4M3Fn) with { HasKvScales = true };
            BackendRuns.Check(_device, new AttentionRequests(spec, [117], seed: 15, [0.013f]), new BackendRun(name), Phases);
        }
    }

    [Theory]
    [MemberData(nameof(Latent))]
    public void D16_Planning_a_decode_writes_nothing_that_grows_with_the_longest_sequence(string name)
    {
        var spy = new SpyDevice(_device);
        AttentionSpec spec = BackendCells.Mla(4) with { MaxSeqLen = 163840 };
        IAttentionBackend backend = LibraryBackends.Create().Single(b => b.Name == name);
        using var scenario = new PlanningScenario(spy, backend, spec, rows: 64, promptLen: 100);
        scenario.BuildAndPlan();
        Assert.Equal((64, 1), (scenario.Step.Rows.Length, scenario.Step.MaxQueryLen));

        long before = spy.UploadedBytes;
        scenario.PlanOnly();

        Assert.Equal(0, spy.UploadedBytes - before);
    }

    [Fact]
    public void D17_Each_latent_name_runs_the_pair_of_kernels_that_it_stands_for()
    {
        foreach ((string name, string prefill, string split) in new[]
        {
            (AttentionBackendNames.TritonMla, "FlashVarlen", "Fixed"), (AttentionBackendNames.RocmAiterMla, "FlashVarlen", "Occupancy"),
            (AttentionBackendNames.RocmAiterTritonMla, "FlashVarlenPacked", "Occupancy"),
        })
        {
            var spy = new SpyDevice(_device);
            BackendRuns.Check(spy, new AttentionRequests(BackendCells.Mla(3), [117], seed: 17), new BackendRun(name), [(0, 60)], [(0, 56)], [(0, 1)]);
            Assert.Equal(
                ["RopeStoreKv", prefill, "RopeStoreKv", prefill, "GatherKv", prefill, "MergeStates", "GatherKv", prefill, "MergeStates", "RopeStoreKv", "MlaDecode"],
                spy.Calls.Select(call => call.Primitive));
            Assert.Equal(split, spy.Calls[^1].Detail);
        }
    }

    [Theory]
    [InlineData(AttentionBackendNames.TritonAttn)]
    [InlineData(AttentionBackendNames.RocmAiterUnifiedAttn)]
    [InlineData(AttentionBackendNames.RocmAttn)]
    [InlineData(AttentionBackendNames.RocmAiterFa)]
    public void D18_Partial_results_of_a_long_context_are_not_rounded_to_16_bits(string name)
    {
        // Some ten partitions; partials in bf16 would be off by two hundred times the tolerance.
        var requests = new AttentionRequests(BackendCells.Mha(2, 1, 16), [3000], seed: 18);
        using BackendHarness harness = BackendRuns.Create(_device, requests, new BackendRun(name) { MaxNumTokens = 3000 });
        harness.Step((0, 2990));
        harness.Check(Tolerance.F32, "after a long context", (0, 9));
        harness.Check(Tolerance.F32, "after a long context", (0, 1));
    }

    [Theory]
    [MemberData(nameof(Latent))]
    public void D19_A_latent_prefill_computes_with_what_the_cache_holds_and_quantizes_nothing_else(string name)
    {
        // The oracle rounds latents to bf16 and nothing more; an fp8 cast of q, k or v would be off by a thousand times the tolerance.
        BackendRuns.Check(_device, new AttentionRequests(BackendCells.Mla(16), [117], seed: 19), new BackendRun(name), [(0, 117)]);
        BackendRuns.Check(_device, new AttentionRequests(BackendCells.Mla(16, cache: DType.F32), [117], seed: 19), new BackendRun(name), [(0, 117)]);
    }

    [Fact]
    public void D20_Everything_in_a_spec_is_honoured_or_refused_by_every_backend()
    {
        foreach (IAttentionBackend backend in LibraryBackends.Create())
        {
            bool latent = backend.Kind == AttentionKind.Mla;
            AttentionSpec plain = latent ? BackendCells.Mla(4, cache: DType.F8E4M3Fn) : BackendCells.Mha(4, 2, 32, cache: DType.F8E4M3Fn);
            var features = new Dictionary<string, AttentionSpec>
            {
                ["logits soft-cap"] = plain with { LogitsSoftCap = 1 },
                ["ALiBi"] = plain with { HasAlibi = true },
                ["attention sinks"] = plain with { HasSinks = true },
                ["sliding window"] = plain with { SlidingWindow = 9 },
                ["softmax scale"] = plain with { SoftmaxScale = 0.9f },
                ["KV scales"] = plain with { HasKvScales = true },
            };
            foreach ((string feature, AttentionSpec spec) in features)
            {
                AttentionSupport support = backend.CheckSupport(spec, _device);
                if (!support.IsSupported)
                {
                    Assert.StartsWith(feature + " not supported", Assert.Single(support.Reasons), StringComparison.Ordinal);
                    continue;
                }

                BackendRuns.Matters(spec, plain, 60, seed: 20);
                BackendRuns.Check(_device, new AttentionRequests(spec, [60], seed: 20), new BackendRun(backend.Name), [(0, 30)], [(0, 29)], [(0, 1)]);
            }
        }
    }

    [Fact]
    public void D21_Short_contexts_are_packed_into_one_chunk_beside_a_long_one()
    {
        var spy = new SpyDevice(_device);
        AttentionSpec spec = BackendCells.Mha(2, 1, 16);
        var requests = new AttentionRequests(spec, [320, 40, 40, 40], seed: 21);
        (int, int)[][] steps = [[(0, 300), (1, 20), (2, 20), (3, 20)], [(0, 20), (1, 20), (2, 20), (3, 20)]];

        BackendRuns.Check(spy, requests, new BackendRun(AttentionBackendNames.RocmAiterFa) { WorkspaceTokens = 128 }, steps);

        // Two full pieces of the long row; its last 44 tokens and the three short rows: an equal split over rows would take ten passes.
        Assert.Equal([1, 1, 4], spy.Calls.Where(call => call.Primitive == "GatherKv").Select(call => call.NumRows));
    }

    [Theory]
    [InlineData(AttentionBackendNames.TritonMla)]
    [InlineData(AttentionBackendNames.RocmAiterMla)]
    public void D23_A_latent_decode_neither_splits_by_nor_reserves_for_the_longest_sequence(string name)
    {
        IAttentionBackend backend = LibraryBackends.Create().Single(b => b.Name == name);
        AttentionSpec deepSeek = BackendCells.Mla(16, 512, 128, 64, 128) with { MaxSeqLen = 163840 };
        long decode = ((IDevice)_device).AttentionKernels.MlaDecodeScratchBytes(deepSeek, new BatchLimits(1024, 1024, 163840));
        Assert.True(decode < 1L << 30, $"{name} reserves {decode} bytes for decoding");
        Assert.True(backend.WorkspaceBytes(deepSeek, _device, new BatchLimits(1024, 1024, 163840)) < 3L << 29);

        AttentionSpec spec = BackendCells.Mla(4);
        List<float[]> tight = BackendRuns.Check(_device, new AttentionRequests(spec, [117], seed: 23), new BackendRun(name), Phases);
        List<float[]> wide = BackendRuns.Check(_device, new AttentionRequests(spec with { MaxSeqLen = 163840 }, [117], seed: 23), new BackendRun(name) { MaxSeqLenBound = 163840 }, Phases);
        BackendRuns.SameBits(tight, wide, name);
    }

    [Fact]
    public void D24_ROCM_AITER_FA_decodes_in_memory_that_it_asked_for_once()
    {
        var spy = new SpyDevice(_device);
        var requests = new AttentionRequests(BackendCells.Mha(4, 1, 32), [1200], seed: 24);
        using BackendHarness harness = BackendRuns.Create(spy, requests, new BackendRun(AttentionBackendNames.RocmAiterFa) { MaxNumTokens = 1200 });
        harness.Step((0, 1190));
        for (int i = 0; i < 10; i++)
        {
            harness.Step((0, 1));
            Assert.Equal(0, harness.AllocationsInStep);
        }

        // What decoding takes follows the threads that share a row, not rows times the longest sequence.
        long few = ((IDevice)_device).AttentionKernels.PagedDecodeScratchBytes(requests.Spec, new BatchLimits(64, 64, 131072));
        long many = ((IDevice)_device).AttentionKernels.PagedDecodeScratchBytes(requests.Spec, new BatchLimits(1024, 1024, 131072));
        Assert.InRange(many, few, 2 * few);
    }
}
