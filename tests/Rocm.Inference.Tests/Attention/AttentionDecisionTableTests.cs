using System.Text;
using Rocm.Inference.Attention;
using Rocm.Inference.Attention.Backends;
using Rocm.Inference.TestKit;
using Rocm.Inference.TestKit.Fakes;
using Xunit;

namespace Rocm.Inference.Tests.Attention;

/// <summary>
/// Which backend is chosen on which hardware, by which preset, for which model. This version's backends refuse every GPU; here they are asked as if the
/// GPU's kernels were there, so that the lists for GPUs are held as well.
/// </summary>
public sealed class AttentionDecisionTableTests
{
    private static readonly AttentionSpec Mha = new()
    {
        NumQoHeads = 64, NumKvHeads = 8, HeadDim = 128, VHeadDim = 128, SoftmaxScale = 0.088f, MaxSeqLen = 131072,
    };

    private static readonly AttentionSpec Mla = new()
    {
        Kind = AttentionKind.Mla, NumQoHeads = 16, NumKvHeads = 1, HeadDim = 192, VHeadDim = 128, KvLoraRank = 512, QkRopeHeadDim = 64, QkNopeHeadDim = 128,
        SoftmaxScale = 0.072f, MaxSeqLen = 163840,
    };

    private static readonly (string Name, AttentionSpec[] Groups)[] Models =
    [
        ("plain", [Mha]),
        ("window and full groups", [Mha with { SlidingWindow = 1024 }, Mha]),
        ("soft-cap", [Mha with { LogitsSoftCap = 50 }]),
        ("sinks", [Mha with { HasSinks = true, SlidingWindow = 128, HeadDim = 64, VHeadDim = 64 }]),
        ("ALiBi", [Mha with { HasAlibi = true }]),
        ("fp8 cache with scales", [Mha with { KvDType = DType.F8E4M3Fn, HasKvScales = true }]),
        ("head of 100", [Mha with { HeadDim = 100, VHeadDim = 100 }]),
        ("latent", [Mla]),
        ("latent, 20 heads, fp8", [Mla with { NumQoHeads = 20, KvDType = DType.F8E4M3Fnuz, HasKvScales = true }]),
        ("latent with a window", [Mla with { SlidingWindow = 512 }]),
    ];

    private static readonly (string Architecture, bool HasAiter)[] Hardware =
    [
        ("cpu", false), ("gfx90a", false), ("gfx90a", true), ("gfx942", false), ("gfx942:sramecc+:xnack-", true), ("gfx950", true), ("gfx1100", true), ("gfx1151", false),
        ("gfx1201", false), ("gfx1201", true), ("gfx1250", true),
    ];

    [Fact]
    public void The_decision_table_is_as_written_down()
    {
        var table = new StringBuilder();
        foreach ((string architecture, bool hasAiter) in Hardware)
        {
            foreach (AttentionPreset preset in Enum.GetValues<AttentionPreset>())
            {
                table.Append(architecture).Append(hasAiter ? " with AITER, " : ", ").Append(preset).Append('\n');
                foreach ((string name, AttentionSpec[] groups) in Models)
                    table.Append("  ").Append(name).Append(": ").Append(Choose(architecture, hasAiter, preset, groups)).Append('\n');
            }
        }

        string file = Path.Combine(RepositoryPaths.Root, "tests", "Rocm.Inference.Tests", "Attention", "decision-table.txt");
        string actual = table.ToString();
        if (File.ReadAllText(file) != actual) Assert.Fail($"The choice has changed. If that is meant, {file} must be:\n{actual}");
    }

    [Theory]
    [InlineData("gfx942", false, AttentionPreset.VllmBlogEra, "plain", "TRITON_ATTN")]
    [InlineData("gfx942", true, AttentionPreset.VllmBlogEra, "plain", "ROCM_AITER_FA")]
    [InlineData("gfx942", false, AttentionPreset.VllmNewest, "plain", "ROCM_ATTN")]
    [InlineData("gfx942", true, AttentionPreset.VllmNewest, "plain", "ROCM_ATTN")]
    [InlineData("gfx950", false, AttentionPreset.VllmBlogEra, "sinks", "TRITON_ATTN")]
    [InlineData("gfx950", false, AttentionPreset.VllmNewest, "sinks", "TRITON_ATTN")]
    [InlineData("gfx950", true, AttentionPreset.VllmNewest, "sinks", "ROCM_AITER_FA")]
    [InlineData("gfx942", false, AttentionPreset.VllmBlogEra, "latent", "TRITON_MLA")]
    [InlineData("gfx942", true, AttentionPreset.VllmBlogEra, "latent", "ROCM_AITER_MLA")]
    [InlineData("gfx942", false, AttentionPreset.VllmNewest, "latent", "TRITON_MLA")]
    [InlineData("gfx942", true, AttentionPreset.VllmNewest, "latent", "ROCM_AITER_MLA")]
    [InlineData("gfx90a", false, AttentionPreset.VllmBlogEra, "plain", "TRITON_ATTN")]
    [InlineData("gfx90a", false, AttentionPreset.VllmNewest, "plain", "ROCM_ATTN")]
    [InlineData("gfx90a", true, AttentionPreset.VllmNewest, "plain", "ROCM_ATTN")]
    [InlineData("gfx1100", true, AttentionPreset.VllmBlogEra, "plain", "TRITON_ATTN")]
    [InlineData("gfx1100", true, AttentionPreset.VllmNewest, "plain", "ROCM_ATTN")]
    [InlineData("gfx1201", false, AttentionPreset.VllmNewest, "plain", "ROCM_ATTN")]
    [InlineData("gfx1201", true, AttentionPreset.VllmNewest, "plain", "ROCM_AITER_UNIFIED_ATTN")]
    public void The_vllm_presets_name_what_vllm_gives_on_the_same_hardware(string architecture, bool hasAiter, AttentionPreset preset, string model, string expected) =>
        Assert.Equal(expected, Choose(architecture, hasAiter, preset, Models.Single(m => m.Name == model).Groups));

    [Fact]
    public void Every_list_names_known_backends_of_its_kind_once_and_our_own_lists_name_all()
    {
        IReadOnlyList<IAttentionBackend> library = LibraryBackends.Create();
        foreach (AttentionPreset preset in Enum.GetValues<AttentionPreset>())
        {
            foreach (AttentionDeviceClass device in Enum.GetValues<AttentionDeviceClass>())
            {
                foreach (AttentionKind kind in Enum.GetValues<AttentionKind>())
                {
                    IReadOnlyList<string> list = AttentionPriorities.List(preset, device, kind);
                    string[] known = [.. library.Where(backend => backend.Kind == kind).Select(backend => backend.Name)];
                    Assert.NotEmpty(list);
                    Assert.Equal(list.Count, list.Distinct().Count());
                    Assert.Subset(known.ToHashSet(), list.ToHashSet());
                    if (preset == AttentionPreset.Default) Assert.Equal(known.Length, list.Count);
                }
            }
        }
    }

    [Fact]
    public void A_gpu_takes_bf16_activations_and_caches_of_bf16_and_fp8_and_names_what_its_kernels_cannot_do()
    {
        var gpu = new NamedDevice(DeviceKind.Hip, "gfx942");
        foreach (IAttentionBackend backend in LibraryBackends.Create())
        {
            AttentionSpec spec = (backend.Kind == AttentionKind.Mla ? Mla : Mha) with { DType = DType.BF16 };
            Assert.True(backend.CheckSupport(spec, gpu).IsSupported);
            Assert.True(backend.CheckSupport(spec with { KvDType = DType.F8E4M3Fn, HasKvScales = true }, gpu).IsSupported);
            Assert.Equal(["dtype not supported: F32; this device computes in BF16"], backend.CheckSupport(spec with { DType = DType.F32 }, gpu).Reasons);
            foreach (DType type in (DType[])[DType.F32, DType.F16])
            {
                Assert.Equal(
                    [$"kv_cache_dtype not supported on a GPU: {type}; one of BF16, F8E4M3Fn, F8E4M3Fnuz, F8E5M2"],
                    backend.CheckSupport(spec with { KvDType = type }, gpu).Reasons);
            }
        }
    }

    private static string Choose(string architecture, bool hasAiter, AttentionPreset preset, AttentionSpec[] groups)
    {
        var device = new NamedDevice(architecture == "cpu" ? DeviceKind.Cpu : DeviceKind.Hip, architecture);
        IAttentionBackend[] library = [.. LibraryBackends.Create().Select(backend => new OnAnyDevice(backend))];
        try
        {
            return new AttentionBackendSelector([], preset, hasAiter, library).Select(groups, device, null).Selection.Name;
        }
        catch (AttentionNotSupportedException)
        {
            return "none";
        }
    }

    /// <summary>A backend that answers as on the CPU, where all its kernels are.</summary>
    private sealed class OnAnyDevice(IAttentionBackend backend) : IAttentionBackend
    {
        private static readonly NamedDevice Cpu = new(DeviceKind.Cpu, "cpu");

        public string Name => backend.Name;

        public AttentionKind Kind => backend.Kind;

        public AttentionSupport CheckSupport(AttentionSpec spec, IDevice device) => backend.CheckSupport(spec, Cpu);

        public KvCacheLayout GetKvCacheLayout(AttentionSpec spec) => backend.GetKvCacheLayout(spec);

        public long WorkspaceBytes(AttentionSpec spec, IDevice device, BatchLimits limits) => throw new NotSupportedException("Selection asks for no workspace.");

        public IAttentionExecutor CreateExecutor(AttentionSpec spec, AttentionResources resources) =>
            throw new NotSupportedException("Selection never creates an executor.");
    }
}
