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

    private readonly IDevice _cpu = new NamedDevice(DeviceKind.Cpu, "x64-test");

    [Fact]
    public void On_the_cpu_the_unified_backend_is_chosen_and_says_why()
    {
        (IAttentionBackend backend, AttentionSelection selection) = new AttentionBackendSelector([]).Select([Spec], _cpu, null);

        Assert.Equal("TRITON_ATTN", backend.Name);
        Assert.Equal("TRITON_ATTN", selection.Name);
        Assert.Equal(AttentionKind.Mha, selection.Kind);
        Assert.Contains("first of the Cpu list", selection.Reason, StringComparison.Ordinal);
        Assert.Empty(selection.Refused);
    }

    [Fact]
    public void A_custom_backend_comes_first_and_takes_part_by_capability()
    {
        var picky = new StubBackend("PICKY", "head_size not supported: 64");
        var mine = new StubBackend("MINE");

        (IAttentionBackend backend, AttentionSelection selection) = new AttentionBackendSelector([(picky, 2), (mine, 1)]).Select([Spec], _cpu, null);

        Assert.Same(mine, backend);
        Assert.Equal(["PICKY", "TRITON_ATTN"], selection.Refused.Select(r => r.Name));
        Assert.Equal(["head_size not supported: 64"], selection.Refused[0].Reasons);
        Assert.Equal(["comes later in the order of preference"], selection.Refused[1].Reasons);
        Assert.Equal([false, true], selection.Refused.Select(r => r.IsSupported));
    }

    [Fact]
    public void A_custom_backend_without_priority_comes_after_the_librarys_own()
    {
        (IAttentionBackend backend, _) = new AttentionBackendSelector([(new StubBackend("MINE"), 0)]).Select([Spec], _cpu, null);

        Assert.Equal("TRITON_ATTN", backend.Name);
    }

    [Fact]
    public void An_explicit_choice_is_taken_without_regard_to_case_and_its_source_is_told()
    {
        var mine = new StubBackend("MINE");

        (_, AttentionSelection selection) = new AttentionBackendSelector([(mine, 1)])
            .Select([Spec], _cpu, new AttentionBackendChoice("triton_attn", "option AttentionBackend"));

        Assert.Equal("TRITON_ATTN", selection.Name);
        Assert.Contains("option AttentionBackend", selection.Reason, StringComparison.Ordinal);
        Assert.Equal(["not the one chosen by option AttentionBackend"], selection.Refused[0].Reasons);
    }

    [Fact]
    public void An_explicit_choice_that_does_not_fit_throws_with_every_reason_and_never_falls_back()
    {
        AttentionSpec bad = Spec with { NumKvHeads = 3, KvDType = DType.F8E4M3Fn };

        var error = Assert.Throws<AttentionNotSupportedException>(() => new AttentionBackendSelector([(new StubBackend("MINE"), 1)])
            .Select([bad], _cpu, new AttentionBackendChoice("TRITON_ATTN", "environment variable X")));

        Assert.Contains("environment variable X", error.Message, StringComparison.Ordinal);
        Assert.Contains("8 query heads must be a multiple of 3", error.Message, StringComparison.Ordinal);
        Assert.Contains("kv_cache_dtype not supported: F8E4M3Fn", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("MINE", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_unknown_name_lists_the_known_ones()
    {
        var error = Assert.Throws<AttentionNotSupportedException>(() => new AttentionBackendSelector([(new StubBackend("MINE"), 1)])
            .Select([Spec], _cpu, new AttentionBackendChoice("NO_SUCH", "option AttentionBackend")));

        Assert.Contains("Known: MINE, TRITON_ATTN", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_backend_must_accept_every_layer_group()
    {
        AttentionSpec windowed = Spec with { SlidingWindow = 0 };

        var error = Assert.Throws<AttentionNotSupportedException>(() => new AttentionBackendSelector([]).Select([Spec, windowed], _cpu, null));

        Assert.Contains("sliding window not supported: 0", error.Message, StringComparison.Ordinal);
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
