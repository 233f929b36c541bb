using System.Collections.Immutable;
using System.Globalization;
using System.Text;

namespace Rocm.Inference.Native.Aiter;

/// <summary>What an installation of AITER can do on an architecture: every kernel that a manifest lists, with the reason where it is not used.</summary>
/// <param name="Heading">The installation and the architecture.</param>
/// <param name="Kernels">The kernels, in the order of the manifests.</param>
/// <param name="Defects">What is wrong with the installation itself, a sentence each.</param>
internal sealed record AiterCapabilities(string Heading, ImmutableArray<AiterCapability> Kernels, ImmutableArray<string> Defects)
{
    /// <summary>Reads and verifies every code object; takes some tenths of a second and needs no GPU.</summary>
    /// <param name="installation">Where they are.</param>
    /// <param name="target">The architecture: "gfx942".</param>
    /// <param name="chip">Which chip of that architecture.</param>
    /// <param name="ldsLimit">Local memory that a block may have on the device.</param>
    internal static AiterCapabilities Of(AiterInstallation installation, string target, AiterChip chip, int ldsLimit)
    {
        AiterKernelSet kernels = installation.Kernels(target, chip);
        var found = ImmutableArray.CreateBuilder<AiterCapability>();
        foreach (AiterPagedRow row in kernels.Paged)
        {
            ReadOnlySpan<AiterArgumentLayout> layouts = row.Persistent ? AiterPersistentPagedDecode.LayoutsFor(row) : AiterPagedDecode.LayoutsFor(row);
            Add(AiterFamily.PagedAttention, Describe(row), row.Object, Unused(row), layouts, AiterPagedDecode.BlockThreads);
        }

        foreach (AiterMlaRow row in kernels.Mla)
            Add(AiterFamily.Mla, Describe(row), row.Object, Unused(row, target), [AiterArgumentLayout.Mla], AiterMlaDecode.BlockThreads);
        foreach (AiterFlashRow row in kernels.Flash)
            Add(AiterFamily.FlashForward, Describe(row), row.Object, "", AiterFlashForward.LayoutsFor(row), AiterFlashForward.BlockThreads(row.QueryDim));
        foreach (AiterScaledGemmRow row in kernels.ScaledGemm)
        {
            string operation = string.Create(CultureInfo.InvariantCulture, $"product of fp8 matrices with scales of blocks, tiles of {row.TileRows} by {row.TileColumns}");
            Add(AiterFamily.ScaledGemm, operation, row.Object, row.WantsShuffledWeight ? "" : "its weight is laid out in another way.", AiterScaledGemm.Layouts, AiterScaledGemm.BlockThreads);
        }

        foreach (AiterFusedExpertsRow row in kernels.FusedExperts)
        {
            string operation = string.Create(CultureInfo.InvariantCulture, $"gated fp8 experts with scales of blocks, tiles of {row.TileRows} by {row.TileInner}{(row.Persistent ? ", persistent" : "")}");
            string unused = row is { Persistent: false, Flat: 0, SkipsVectorInstructions: false } ? "" : "it has not been executed.";
            Add(AiterFamily.FusedExperts, operation, row.Object, unused, AiterFusedExperts.Layouts, AiterFusedExperts.BlockThreads);
        }

        return new AiterCapabilities($"{installation}, on {target}", found.ToImmutable(), kernels.Defects);

        void Add(AiterFamily family, string operation, AiterObject kernel, string unused, ReadOnlySpan<AiterArgumentLayout> layouts, int threads)
        {
            string refusal = unused;
            if (refusal.Length == 0) kernels.Verify(family, kernel, layouts, threads, ldsLimit, out _, out refusal);
            found.Add(new AiterCapability(family, operation, kernel.Symbol, refusal));
        }
    }

    /// <summary>The listing, a line for each kernel.</summary>
    public override string ToString()
    {
        var text = new StringBuilder(Heading).AppendLine();
        foreach (string defect in Defects) text.Append("  ! ").AppendLine(defect);
        foreach (AiterCapability kernel in Kernels)
        {
            text.Append(kernel.IsUsable ? "  + " : "  - ").Append(kernel.Operation);
            text.AppendLine(kernel.IsUsable ? "" : $": {kernel.Refusal}");
        }

        return text.ToString();
    }

    private static string Describe(AiterPagedRow row)
    {
        string tokens = row.Mtp switch { 0 => "1", 1 => "1 to 4", _ => (row.Mtp - 10).ToString(CultureInfo.InvariantCulture) };
        return row.Persistent
            ? string.Create(CultureInfo.InvariantCulture, $"persistent paged decode, {row.Query} over {row.Cache} blocks of {row.BlockSize}, up to {row.QueryTile} rows")
            : string.Create(
                CultureInfo.InvariantCulture,
                $"paged decode, {row.Query} over {row.Cache} blocks of {row.BlockSize}, up to {row.Gqa} heads a KV head, {tokens} query tokens{(row.Causal ? ", causal" : "")}, precision {row.Precision}");
    }

    private static string Describe(AiterMlaRow row) => string.Create(
        CultureInfo.InvariantCulture,
        $"{(row.Persistent ? "persistent " : "")}MLA {(row.Prefill ? "prefill" : "decode")}, {row.Query} over {row.Cache}, {row.Heads} heads, {(row.QueryLength == 0 ? "any" : row.QueryLength)} query tokens{(row.Lse ? ", with LSE" : "")}");

    private static string Describe(AiterFlashRow row) => string.Create(
        CultureInfo.InvariantCulture,
        $"flash forward, {row.Input}, {row.QueryDim} and {row.ValueDim}, {(row.Group ? "varlen" : "batch")}{(row.Causal ? ", causal" : "")}, rounding {row.Rounding}");

    private static string Unused(AiterPagedRow row) => row is { Persistent: false, Mtp: > 0, Causal: false } ? "it does not mask query tokens." : "";

    private static string Unused(AiterMlaRow row, string target) => row switch
    {
        { ContextParallel: true } => "it is for contexts spread over devices.",
        { Query: AiterDType.Fp8, Heads: 8 } => "it leaves the scale of the cache out and reads beyond its end.",
        { Persistent: true } when row.Cache != AiterDType.Bf16 => "it has not been executed.",
        { Query: AiterDType.Bf16, Cache: not AiterDType.Bf16 } => "it has not been executed.",
        { Prefill: true, Persistent: false } => "",
        { Persistent: true } => target == "gfx942" && AiterPersistentMlaDecode.IsServed(row) ? "" : "its plan is not known to this library.",
        _ => AiterMlaTraits.Of(target, row.Object.Symbol) is null ? "it is not known to this library." : "",
    };
}

/// <summary>A kernel of an installation.</summary>
/// <param name="Family">Its folder.</param>
/// <param name="Operation">What it does.</param>
/// <param name="Symbol">Its name.</param>
/// <param name="Refusal">Why it is not used; empty when it is.</param>
internal sealed record AiterCapability(AiterFamily Family, string Operation, string Symbol, string Refusal)
{
    internal bool IsUsable => Refusal.Length == 0;
}
