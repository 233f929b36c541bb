using Rocm.Inference.Attention;
using Rocm.Inference.TestKit.Fakes;
using Xunit;

namespace Rocm.Inference.Tests.Attention;

public sealed class AttentionBackendSelectorTests
{
    private static readonly AttentionSpec Spec = new()
    {
        NumQoHeads = 8, NumKvHeads = 2, HeadDim = 64, VHeadDim = 64, SoftmaxScale = 0.125f, MaxSeqLen = 1024,
    };

    private static readonly string First = AttentionPriorities.List(AttentionPreset.Default, AttentionDeviceClass.Cpu, AttentionKind.Mha)[0];

    private readonly IDevice _cpu = new NamedDevice(DeviceKind.Cpu, "x64-test");

    [Fact]
    public void The_first_of_the_list_is_chosen_and_says_why_and_which_kernels_run()
    {
        (IAttentionBackend backend, AttentionSelection selection) = new AttentionBackendSelector([]).Select([Spec], _cpu, null);

        Assert.Equal(First, backend.Name);
        Assert.Equal(First, selection.Name);
        Assert.Equal(AttentionKind.Mha, selection.Kind);
        Assert.Contains("first of the Cpu list of the preset Default", selection.Reason, StringComparison.Ordinal);
        Assert.Equal(["prefill", "extend", "decode"], selection.Phases.Select(phase => phase.Name));
        Assert.All(selection.Phases, phase => Assert.Equal("cpu", phase.Provider));
        Assert.Contains(selection.Phases[2].Primitives, selection.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Every_other_backend_is_listed_with_the_reason_against_it()
    {
        (_, AttentionSelection selection) = new AttentionBackendSelector([]).Select([Spec], _cpu, null);

        Assert.Equal(6, selection.Refused.Count);
        Assert.Equal(3, selection.Refused.Count(r => r.Reasons[0] == "comes later in the order of preference"));
        Assert.Equal(3, selection.Refused.Count(r => r.Reasons[0] == "attention kind not supported: Mha; Mla only"));
    }

    [Fact]
    public void A_latent_model_gets_a_latent_backend()
    {
        AttentionSpec latent = new()
        {
            Kind = AttentionKind.Mla, NumQoHeads = 16, NumKvHeads = 1, HeadDim = 192, VHeadDim = 128, KvLoraRank = 512, QkRopeHeadDim = 64, QkNopeHeadDim = 128,
            SoftmaxScale = 0.07f, MaxSeqLen = 4096,
        };

        (IAttentionBackend backend, AttentionSelection selection) = new AttentionBackendSelector([]).Select([latent], _cpu, null);

        Assert.Equal(AttentionKind.Mla, backend.Kind);
        Assert.Equal(AttentionKind.Mla, selection.Kind);
        Assert.Contains(selection.Refused, r => r.Name == "TRITON_ATTN" && r.Reasons[0] == "attention kind not supported: Mla; Mha only");
    }

    [Fact]
    public void A_custom_backend_comes_first_and_takes_part_by_capability()
    {
        var picky = new StubBackend("PICKY", "head_size not supported: 64");
        var mine = new StubBackend("MINE");

        (IAttentionBackend backend, AttentionSelection selection) = new AttentionBackendSelector([(picky, 2), (mine, 1)]).Select([Spec], _cpu, null);

        Assert.Same(mine, backend);
        Assert.Equal(["PICKY", First], selection.Refused.Take(2).Select(r => r.Name));
        Assert.Equal(["head_size not supported: 64"], selection.Refused[0].Reasons);
        Assert.Equal(["comes later in the order of preference"], selection.Refused[1].Reasons);
        Assert.Equal([false, true], selection.Refused.Take(2).Select(r => r.IsSupported));
        Assert.Empty(selection.Phases);
    }

    [Fact]
    public void A_custom_backend_without_priority_comes_after_the_librarys_own()
    {
        (IAttentionBackend backend, _) = new AttentionBackendSelector([(new StubBackend("MINE"), 0)]).Select([Spec], _cpu, null);

        Assert.Equal(First, backend.Name);
    }

    [Fact]
    public void A_custom_backend_is_taken_where_none_of_the_librarys_fits()
    {
        var gpu = new NamedDevice(DeviceKind.Hip, "gfx942");

        (IAttentionBackend backend, AttentionSelection selection) =
            new AttentionBackendSelector([(new StubBackend("MINE"), 0)]).Select([Spec with { DType = DType.F16 }], gpu, null);

        Assert.Equal("MINE", backend.Name);
        Assert.Equal(7, selection.Refused.Count);
        Assert.All(selection.Refused, r => Assert.Contains("dtype not supported: F16; this device computes in BF16", r.Reasons));
    }

    [Fact]
    public void Each_of_the_seven_can_be_chosen_by_name_without_regard_to_case_and_the_source_is_told()
    {
        foreach (string name in new[] { "triton_attn", "rocm_aiter_unified_attn", "Rocm_Attn", "ROCM_AITER_FA" })
        {
            (IAttentionBackend backend, AttentionSelection selection) = new AttentionBackendSelector([(new StubBackend("MINE"), 1)])
                .Select([Spec], _cpu, new AttentionBackendChoice(name, "option AttentionBackend"));

            Assert.Equal(name, backend.Name, ignoreCase: true);
            Assert.Contains("option AttentionBackend", selection.Reason, StringComparison.Ordinal);
            Assert.Equal(["not the one chosen by option AttentionBackend"], selection.Refused[0].Reasons);
        }
    }

    [Fact]
    public void An_explicit_choice_that_does_not_fit_throws_with_every_reason_and_never_falls_back()
    {
        AttentionSpec bad = Spec with { NumKvHeads = 3, KvDType = DType.I32 };

        var error = Assert.Throws<AttentionNotSupportedException>(() => new AttentionBackendSelector([(new StubBackend("MINE"), 1)])
            .Select([bad], _cpu, new AttentionBackendChoice("TRITON_ATTN", "environment variable X")));

        Assert.Contains("environment variable X", error.Message, StringComparison.Ordinal);
        Assert.Contains("8 query heads must be a multiple of 3", error.Message, StringComparison.Ordinal);
        Assert.Contains("kv_cache_dtype not supported: I32", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("MINE", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_unknown_name_lists_the_known_ones()
    {
        var error = Assert.Throws<AttentionNotSupportedException>(() => new AttentionBackendSelector([(new StubBackend("MINE"), 1)])
            .Select([Spec], _cpu, new AttentionBackendChoice("NO_SUCH", "option AttentionBackend")));

        Assert.Contains($"Known: MINE, {First}", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_backend_must_accept_every_layer_group()
    {
        AttentionSpec windowed = Spec with { SlidingWindow = 0 };

        var error = Assert.Throws<AttentionNotSupportedException>(() => new AttentionBackendSelector([]).Select([Spec, windowed], _cpu, null));

        Assert.Contains("sliding window not supported: 0", error.Message, StringComparison.Ordinal);
        Assert.Equal(7, error.Reasons.Count);
    }

    [Fact]
    public void A_backend_that_a_preset_does_not_list_is_taken_by_name_only()
    {
        (_, AttentionSelection selection) = new AttentionBackendSelector([], AttentionPreset.VllmBlogEra).Select([Spec], _cpu, null);

        RefusedAttentionBackend flash = Assert.Single(selection.Refused, r => r.Name == "ROCM_AITER_FA");
        Assert.Equal(["by name only: not in the list of the preset VllmBlogEra for Cpu"], flash.Reasons);
    }

    [Fact]
    public void A_spec_names_every_feature_that_it_asks_for()
    {
        Assert.Equal(AttentionFeatures.None, Spec.Features);
        Assert.Equal(AttentionFeatures.SlidingWindow | AttentionFeatures.Sinks, (Spec with { SlidingWindow = 0, HasSinks = true }).Features);
        Assert.Equal(
            AttentionFeatures.LogitsSoftCap | AttentionFeatures.Alibi | AttentionFeatures.KvScales,
            (Spec with { LogitsSoftCap = 30, HasAlibi = true, HasKvScales = true }).Features);
    }

    [Fact]
    public void Two_backends_of_one_name_are_refused() =>
        Assert.Throws<ArgumentException>(() => new AttentionBackendSelector([(new StubBackend("triton_attn"), 1)]));

    private sealed class StubBackend(string name, params string[] reasons) : IAttentionBackend
    {
        public string Name => name;

        public AttentionKind Kind => AttentionKind.Mha;

        public AttentionSupport CheckSupport(AttentionSpec spec, IDevice device) => AttentionSupport.From(reasons);

        public KvCacheLayout GetKvCacheLayout(AttentionSpec spec) => new(KvLayoutKind.Nhd);

        public long WorkspaceBytes(AttentionSpec spec, IDevice device, BatchLimits limits) => 0;

        public IAttentionExecutor CreateExecutor(AttentionSpec spec, AttentionResources resources) =>
            throw new NotSupportedException("Selection never creates an executor.");
    }
}
