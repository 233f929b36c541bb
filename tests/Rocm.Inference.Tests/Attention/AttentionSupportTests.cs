using System.Text;
using Rocm.Inference.Attention.Backends;
using Rocm.Inference.TestKit;
using Rocm.Inference.TestKit.Fakes;
using Xunit;

namespace Rocm.Inference.Tests.Attention;

/// <summary>What backends accept, as the README's table says it, and how they refuse.</summary>
public sealed class AttentionSupportTests
{
    private const string Begin = "<!-- table: attention -->\n";
    private const string End = "<!-- end of table -->";

    private static readonly AttentionSpec Mha = new()
    {
        NumQoHeads = 8, NumKvHeads = 2, HeadDim = 128, VHeadDim = 128, SoftmaxScale = 0.088f, MaxSeqLen = 4096,
    };

    private static readonly AttentionSpec Mla = new()
    {
        Kind = AttentionKind.Mla, NumQoHeads = 16, NumKvHeads = 1, HeadDim = 192, VHeadDim = 128, KvLoraRank = 512, QkRopeHeadDim = 64, QkNopeHeadDim = 128,
        SoftmaxScale = 0.072f, MaxSeqLen = 4096,
    };

    private static readonly NamedDevice Cpu = new(DeviceKind.Cpu, "cpu");
    private static readonly NamedDevice Gpu = new(DeviceKind.Hip, "gfx942");

    [Fact]
    public void The_readmes_table_of_features_is_what_the_backends_say()
    {
        string readme = File.ReadAllText(Path.Combine(RepositoryPaths.Root, "README.md"));
        int begin = readme.IndexOf(Begin, StringComparison.Ordinal), end = readme.IndexOf(End, StringComparison.Ordinal);
        Assert.True(begin >= 0 && end > begin, $"README.md has no part between \"{Begin.Trim()}\" and \"{End}\".");
        string expected = Tables();
        if (readme[(begin + Begin.Length)..end] != expected) Assert.Fail($"The table of README.md is out of date. It must be:\n{expected}");
    }

    public static TheoryData<string, string> Refusals => new()
    {
        { "kind", "attention kind not supported: Mla; Mha only" },
        { "heads", "head counts not supported: 8 query heads must be a multiple of 3 KV heads" },
        { "no heads", "head counts not supported: 0 query heads must be a multiple of 2 KV heads" },
        { "head size", "head_size not supported: 0 (value head 128)" },
        { "window", "sliding window not supported: 0; at least 1 token" },
        { "soft-cap", "logits soft-cap not supported: -1" },
        { "soft-cap NaN", "logits soft-cap not supported: NaN" },
        { "scale", "softmax scale not supported: NaN" },
        { "max length", "max length not supported: 0; at least 1 token" },
        { "dtype", "dtype not supported: BF16; this device computes in F32" },
        { "cache type", "kv_cache_dtype not supported: I64; one of F32, F16, BF16, F8E4M3Fn, F8E4M3Fnuz, F8E5M2" },
        { "scales", "KV scales not supported with a BF16 cache; they belong to fp8 caches" },
        { "latent dims", "latent dimensions not supported: they belong to Mla" },
    };

    [Theory]
    [MemberData(nameof(Refusals))]
    public void Every_multi_head_backend_refuses_what_it_does_not_honour_in_the_same_words(string what, string reason)
    {
        AttentionSpec spec = what switch
        {
            "kind" => Mla,
            "heads" => Mha with { NumKvHeads = 3 },
            "no heads" => Mha with { NumQoHeads = 0 },
            "head size" => Mha with { HeadDim = 0 },
            "window" => Mha with { SlidingWindow = 0 },
            "soft-cap" => Mha with { LogitsSoftCap = -1 },
            "soft-cap NaN" => Mha with { LogitsSoftCap = float.NaN },
            "scale" => Mha with { SoftmaxScale = float.NaN },
            "max length" => Mha with { MaxSeqLen = 0 },
            "dtype" => Mha with { DType = DType.BF16 },
            "cache type" => Mha with { KvDType = DType.I64 },
            "scales" => Mha with { HasKvScales = true },
            _ => Mha with { KvLoraRank = 512 },
        };
        foreach (IAttentionBackend backend in LibraryBackends.Create().Where(b => b.Kind == AttentionKind.Mha))
            Assert.Equal([reason], backend.CheckSupport(spec, Cpu).Reasons);
    }

    public static TheoryData<string, string> LatentRefusals => new()
    {
        { "kind", "attention kind not supported: Mha; Mla only" },
        { "KV heads", "head counts not supported: 2 KV heads; latent attention has 1" },
        { "no heads", "head counts not supported: 0 query heads; at least 1" },
        { "window", "sliding window not supported: 128; latent attention has none" },
        { "soft-cap", "logits soft-cap not supported: 30; latent attention has none" },
        { "sinks", "attention sinks not supported: latent attention has none" },
        { "ALiBi", "ALiBi not supported: latent attention has none" },
        { "rank", "latent dimensions not supported: rank 0, key 128 and 64 rotated, value 128" },
        { "head size", "head_size not supported: 576; 128 and 64 rotated make 192" },
    };

    [Theory]
    [MemberData(nameof(LatentRefusals))]
    public void Every_latent_backend_refuses_what_it_does_not_honour_in_the_same_words(string what, string reason)
    {
        AttentionSpec spec = what switch
        {
            "kind" => Mha,
            "KV heads" => Mla with { NumKvHeads = 2 },
            "no heads" => Mla with { NumQoHeads = 0 },
            "window" => Mla with { SlidingWindow = 128 },
            "soft-cap" => Mla with { LogitsSoftCap = 30 },
            "sinks" => Mla with { HasSinks = true },
            "ALiBi" => Mla with { HasAlibi = true },
            "rank" => Mla with { KvLoraRank = 0 },
            _ => Mla with { HeadDim = 576 },
        };
        foreach (IAttentionBackend backend in LibraryBackends.Create().Where(b => b.Kind == AttentionKind.Mla))
            Assert.Equal([reason], backend.CheckSupport(spec, Cpu).Reasons);
    }

    [Theory]
    [InlineData(DType.F32, 4)]
    [InlineData(DType.BF16, 8)]
    [InlineData(DType.F8E4M3Fn, 16)]
    public void Layouts_in_vectors_of_16_bytes_need_whole_vectors(DType type, int elements)
    {
        AttentionSpec odd = Mha with { KvDType = type, HeadDim = (3 * elements) + 1 };
        var flash = new AiterFlashAttentionBackend();

        Assert.Equal(
            [$"head_size not supported: {odd.HeadDim}; the Shuffled layout of a {type} cache needs a multiple of {elements}"], flash.CheckSupport(odd, Cpu).Reasons);
        Assert.Contains("VectorizedX", Assert.Single(new RocmAttentionBackend().CheckSupport(odd, Cpu).Reasons), StringComparison.Ordinal);
        Assert.True(new TritonAttentionBackend().CheckSupport(odd, Cpu).IsSupported);
        Assert.Equal(elements, flash.GetKvCacheLayout(odd).BlockSizeMultiple);
        Assert.Equal(64, new AiterUnifiedAttentionBackend().GetKvCacheLayout(odd).PreferredBlockSize);
    }

    private static string Tables()
    {
        var text = new StringBuilder();
        Table(text, "multi-head attention", AttentionKind.Mha,
        [
            ("grouped-query, multi-query, any ratio of heads", Mha),
            ("value heads of another size than key heads", Mha with { VHeadDim = 64 }),
            ("head size that is no multiple of 8 (bf16 cache)", Mha with { HeadDim = 100, VHeadDim = 100 }),
            ("sliding window", Mha with { SlidingWindow = 512 }),
            ("logits soft-cap", Mha with { LogitsSoftCap = 50 }),
            ("attention sinks", Mha with { HasSinks = true }),
            ("ALiBi", Mha with { HasAlibi = true }),
            ("f32, f16 cache", Mha with { KvDType = DType.F16 }),
            ("fp8 cache (e4m3fn, e4m3fnuz, e5m2), scales per tensor or head", Mha with { KvDType = DType.F8E4M3Fn, HasKvScales = true }),
        ]);
        text.Append('\n');
        Table(text, "latent attention", AttentionKind.Mla,
        [
            ("any number of heads, of new tokens per row", Mla with { NumQoHeads = 20 }),
            ("no rotary part, other ranks", Mla with { QkRopeHeadDim = 0, HeadDim = 128, KvLoraRank = 256 }),
            ("f32, f16 cache", Mla with { KvDType = DType.F32 }),
            ("fp8 cache (e4m3fn, e4m3fnuz, e5m2) with scale", Mla with { KvDType = DType.F8E5M2, HasKvScales = true }),
            ("sliding window", Mla with { SlidingWindow = 512 }),
            ("logits soft-cap", Mla with { LogitsSoftCap = 50 }),
            ("attention sinks", Mla with { HasSinks = true }),
            ("ALiBi", Mla with { HasAlibi = true }),
        ]);
        return text.ToString();
    }

    /// <summary>A row for each feature; a column for each backend on the CPU, and one for all of them on a GPU.</summary>
    private static void Table(StringBuilder text, string title, AttentionKind kind, (string Feature, AttentionSpec Spec)[] rows)
    {
        IAttentionBackend[] backends = [.. LibraryBackends.Create().Where(backend => backend.Kind == kind)];
        text.Append("| ").Append(title).Append(", on the CPU");
        foreach (IAttentionBackend backend in backends) text.Append(" | ").Append(backend.Name);
        text.Append(" | all on an AMD GPU |\n|").Append(string.Concat(Enumerable.Repeat(" --- |", backends.Length + 2))).Append('\n');
        foreach ((string feature, AttentionSpec spec) in rows)
        {
            text.Append("| ").Append(feature);
            foreach (IAttentionBackend backend in backends) text.Append(" | ").Append(Cell(backend.CheckSupport(spec, Cpu)));
            string[] gpu = [.. backends.Select(backend => Cell(backend.CheckSupport(spec with { DType = Gpu.ActivationDType }, Gpu))).Distinct()];
            text.Append(" | ").Append(gpu.Length == 1 ? gpu[0] : "some").Append(" |\n");
        }
    }

    private static string Cell(AttentionSupport support) => support.IsSupported ? "yes" : "refused";
}
