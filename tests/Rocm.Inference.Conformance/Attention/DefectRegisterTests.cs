using Rocm.Inference.Attention;
using Rocm.Inference.Attention.Backends;
using Rocm.Inference.Conformance.Attention.Backends;
using Rocm.Inference.Devices.Cpu;
using Rocm.Inference.TestKit;
using Rocm.Inference.TestKit.Fakes;
using Xunit;

namespace Rocm.Inference.Conformance.Attention;

/// <summary>
/// Known defects of the backends' namesakes, D1 to D12 of the register, as tests: each is honoured here, or refused at selection. A case that could not
/// tell fails by itself.
/// </summary>
public sealed class DefectRegisterTests : IDisposable
{
    private const string RocmAttn = AttentionBackendNames.RocmAttn;
    private const string Flash = AttentionBackendNames.RocmAiterFa;

    /// <summary>Prefill, extends over several chunks of context, decode, verify.</summary>
    private static readonly (int, int)[][] Phases = [[(0, 60)], [(0, 30)], [(0, 1)], [(0, 20)], [(0, 5)], [(0, 1)]];

    private readonly CpuDevice _device = new(new CpuDeviceOptions { NumThreads = 2 });

    public void Dispose() => _device.Dispose();

    [Fact]
    public void D1_ROCM_ATTN_applies_the_soft_cap_in_both_of_its_kernels() =>
        CheckFeature(RocmAttn, BackendCells.Mha(4, 2, 64) with { LogitsSoftCap = 1 }, spec => spec with { LogitsSoftCap = 0 });

    [Fact]
    public void D2_ROCM_AITER_FA_applies_the_soft_cap_in_prefill_extend_and_decode() =>
        CheckFeature(Flash, BackendCells.Mha(4, 2, 64) with { LogitsSoftCap = 1 }, spec => spec with { LogitsSoftCap = 0 });

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(16)]
    public void D3_ROCM_ATTN_attends_to_exactly_W_keys(int window)
    {
        AttentionSpec spec = BackendCells.Mha(4, 2, 32) with { SlidingWindow = window };
        BackendRuns.Matters(spec, spec with { SlidingWindow = window + 1 }, 117, seed: 3);
        if (window > 1) BackendRuns.Matters(spec, spec with { SlidingWindow = window - 1 }, 117, seed: 3);
        BackendRuns.Check(_device, new AttentionRequests(spec, [117], seed: 3), new BackendRun(RocmAttn), Phases);
    }

    [Theory]
    [InlineData(1000)]
    [InlineData(64)]
    [InlineData(16)]
    public void D4_ROCM_AITER_FA_counts_a_sink_once_however_many_chunks_the_context_takes(int workspace)
    {
        var spy = new SpyDevice(_device);
        AttentionSpec spec = BackendCells.Mha(4, 2, 32) with { HasSinks = true };
        BackendRuns.Matters(spec, spec with { HasSinks = false }, 117, seed: 4);

        BackendRuns.Check(spy, new AttentionRequests(spec, [117], seed: 4), new BackendRun(Flash) { WorkspaceTokens = workspace }, Phases);

        Assert.Contains(spy.Calls, call => call.Detail == "causal sinks");
        Assert.Contains(spy.Calls, call => call.Detail == "context");
        Assert.DoesNotContain(spy.Calls, call => call.Detail == "context sinks");
    }

    [Fact]
    public void D5_ROCM_AITER_FA_does_not_lose_sinks_with_heads_of_128() =>
        CheckFeature(Flash, BackendCells.Mha(2, 1, 128) with { HasSinks = true }, spec => spec with { HasSinks = false });

    [Fact]
    public void D6_ROCM_AITER_FA_biases_gathered_context_by_its_position_in_the_sequence() =>
        CheckFeature(Flash, BackendCells.Mha(8, 2, 32) with { HasAlibi = true }, spec => spec with { HasAlibi = false });

    [Theory]
    [InlineData(Flash)]
    [InlineData(AttentionBackendNames.TritonMla)]
    [InlineData(AttentionBackendNames.RocmAiterMla)]
    [InlineData(AttentionBackendNames.RocmAiterTritonMla)]
    public void D7_A_row_without_context_is_a_prefill_wherever_it_stands_and_extends_without_visible_context_merge_nothing(string name)
    {
        AttentionSpec spec = name == Flash ? BackendCells.Mha(4, 2, 32) : BackendCells.Mla(3);
        var requests = new AttentionRequests(spec, [120, 1, 1], seed: 7);
        BackendRuns.Check(_device, requests, new BackendRun(name), [(0, 40)], [(0, 70), (1, 1), (2, 1)]);

        if (name != Flash) return;
        var spy = new SpyDevice(_device);
        BackendRuns.Check(spy, new AttentionRequests(spec with { SlidingWindow = 1 }, [80, 70], seed: 8), new BackendRun(name), [(0, 40), (1, 40)], [(0, 40), (1, 30)]);
        Assert.DoesNotContain(spy.Calls, call => call.Primitive is "GatherKv" or "MergeStates");
    }

    [Fact]
    public void D8_ROCM_AITER_FA_honours_the_softmax_scale_with_heads_of_128() =>
        CheckFeature(Flash, BackendCells.Mha(2, 1, 128) with { SoftmaxScale = 0.31f }, spec => spec with { SoftmaxScale = (float)(1 / Math.Sqrt(128)) });

    [Theory]
    [InlineData(DType.F8E4M3Fn)]
    [InlineData(DType.F8E4M3Fnuz)]
    [InlineData(DType.F8E5M2)]
    public void D9_ROCM_AITER_FA_honours_the_scales_of_an_fp8_cache(DType type)
    {
        AttentionSpec spec = BackendCells.Mha(4, 2, 32, cache: type) with { HasKvScales = true };
        foreach (float[] scales in new[] { [0.02f], new[] { 0.05f, 3f } })
            BackendRuns.Check(_device, new AttentionRequests(spec, [117], seed: 9, scales), new BackendRun(Flash), Phases);
    }

    [Fact]
    public void D10_ROCM_AITER_FA_serves_windows_sinks_and_verification_that_it_accepted()
    {
        AttentionSpec spec = BackendCells.Mha(8, 2, 64) with { SlidingWindow = 24, HasSinks = true };
        var requests = new AttentionRequests(spec, [117, 60, 30], seed: 10);

        // A verification of 2 to 8 tokens with window and sinks in the batch of a decode: the combinations that fail in the middle of serving elsewhere.
        BackendRuns.Check(_device, requests, new BackendRun(Flash), [(0, 60), (1, 40)], [(0, 1), (1, 4)], [(0, 8), (1, 1), (2, 30)], [(0, 2), (1, 7)]);
    }

    [Fact]
    public void D11_ROCM_ATTN_takes_the_same_path_under_any_bound_of_the_length()
    {
        AttentionSpec spec = BackendCells.Mha(8, 1, 32);
        var requests = new AttentionRequests(spec, [117], seed: 11);
        var calls = new List<List<SpyCall>>();
        var outputs = new List<List<float[]>>();
        foreach (int bound in new[] { 117, 131073, 262144 })
        {
            var spy = new SpyDevice(_device);
            outputs.Add(BackendRuns.Check(spy, new AttentionRequests(spec with { MaxSeqLen = bound }, [117], seed: 11), new BackendRun(RocmAttn) { MaxSeqLenBound = bound }, Phases));
            calls.Add(spy.Calls);
        }

        Assert.Contains(calls[0], call => call.Primitive == "PagedDecode");
        foreach (int other in new[] { 1, 2 })
        {
            Assert.Equal(calls[0], calls[other]);
            BackendRuns.SameBits(outputs[0], outputs[other], "with a larger bound");
        }
    }

    [Fact]
    public void D12_What_a_backend_accepts_runs_and_what_it_would_not_run_it_refuses()
    {
        int accepted = 0, refused = 0;
        foreach (IAttentionBackend backend in LibraryBackends.Create())
        {
            foreach (DType type in Enum.GetValues<DType>())
            {
                AttentionSpec spec = backend.Kind == AttentionKind.Mla ? BackendCells.Mla(2, cache: type) : BackendCells.Mha(4, 2, 32, cache: type);
                if (!backend.CheckSupport(spec, _device).IsSupported)
                {
                    refused++;
                    continue;
                }

                accepted++;
                BackendRuns.Check(_device, new AttentionRequests(spec, [50], seed: 12), new BackendRun(backend.Name), [(0, 30)], [(0, 19)], [(0, 1)]);
            }
        }

        Assert.Equal((7 * 6, 7 * 4), (accepted, refused));
    }

    [Fact]
    public void D22_Every_backend_has_one_name_in_constants_selection_and_report()
    {
        string[] names =
        [
            AttentionBackendNames.TritonAttn, AttentionBackendNames.RocmAiterUnifiedAttn, AttentionBackendNames.RocmAttn, AttentionBackendNames.RocmAiterFa,
            AttentionBackendNames.TritonMla, AttentionBackendNames.RocmAiterMla, AttentionBackendNames.RocmAiterTritonMla,
        ];
        Assert.Equal(names, LibraryBackends.Create().Select(backend => backend.Name));
        foreach (string name in names)
        {
            AttentionSpec spec = BackendRuns.MlaNames.Contains(name) ? BackendCells.Mla(2) : BackendCells.Mha(4, 2, 32);
            (IAttentionBackend backend, AttentionSelection selection) = new AttentionBackendSelector([]).Select([spec], _device, new AttentionBackendChoice(name, "test"));
            Assert.Equal(name, backend.Name);
            Assert.Equal(name, selection.Name);
            Assert.StartsWith(name + " (", selection.ToString(), StringComparison.Ordinal);
        }
    }

    private void CheckFeature(string name, AttentionSpec spec, Func<AttentionSpec, AttentionSpec> without)
    {
        BackendRuns.Matters(spec, without(spec), 117, seed: 2);
        BackendRuns.Check(_device, new AttentionRequests(spec, [117], seed: 2), new BackendRun(name), Phases);
    }
}
