using System.Collections.Immutable;

namespace Rocm.Inference.Native.Aiter;

/// <summary>The kernels of an installation for one architecture, as its manifests list them. Which files are there is asked when a kernel is loaded.</summary>
internal sealed class AiterKernelSet
{
    private readonly string _folder;

    private AiterKernelSet(string folder, string target, AiterChip chip) => (_folder, Target, Chip) = (folder, target, chip);

    internal string Target { get; }

    internal AiterChip Chip { get; }

    internal ImmutableArray<AiterPagedRow> Paged { get; private init; } = [];

    internal ImmutableArray<AiterMlaRow> Mla { get; private init; } = [];

    internal ImmutableArray<AiterFlashRow> Flash { get; private init; } = [];

    /// <summary>Empty where the installation has no manifest of them.</summary>
    internal ImmutableArray<AiterScaledGemmRow> ScaledGemm { get; private init; } = [];

    /// <summary>Empty where the installation has no manifest of them.</summary>
    internal ImmutableArray<AiterFusedExpertsRow> FusedExperts { get; private init; } = [];

    internal bool IsEmpty => Paged.IsEmpty && Mla.IsEmpty && Flash.IsEmpty;

    /// <summary>Manifests that are missing or damaged and rows that mean nothing here, a sentence each.</summary>
    internal ImmutableArray<string> Defects { get; private init; } = [];

    internal static AiterKernelSet Read(AiterInstallation installation, string target, AiterChip chip)
    {
        string folder = Path.Combine(installation.HsaFolder, target);
        var defects = ImmutableArray.CreateBuilder<string>();
        if (!installation.Targets.Contains(target))
        {
            defects.Add($"{installation} has none for {target}.");
            return new AiterKernelSet(folder, target, chip) { Defects = defects.ToImmutable() };
        }

        return new AiterKernelSet(folder, target, chip)
        {
            Paged = Rows(AiterFamily.PagedAttention, AiterPagedRow.Read),
            Mla = Rows(AiterFamily.Mla, AiterMlaRow.Read),
            Flash = Rows(AiterFamily.FlashForward, AiterFlashRow.Read),
            ScaledGemm = Optional(AiterFamily.ScaledGemm, AiterScaledGemmRow.Read),
            FusedExperts = Optional(AiterFamily.FusedExperts, AiterFusedExpertsRow.Read),
            Defects = defects.ToImmutable(),
        };

        ImmutableArray<TRow> Optional<TRow>(AiterFamily family, RowReader<TRow> read)
            where TRow : class =>
            File.Exists(Path.Combine(folder, AiterFamilies.FolderOf(family), AiterFamilies.ManifestOf(family))) ? Rows(family, read) : [];

        ImmutableArray<TRow> Rows<TRow>(AiterFamily family, RowReader<TRow> read)
            where TRow : class
        {
            string path = Path.Combine(folder, AiterFamilies.FolderOf(family), AiterFamilies.ManifestOf(family));
            if (AiterFile.Read(path, AiterManifest.MaxBytes, out string unreadable) is not { } bytes)
            {
                defects.Add($"The manifest {unreadable}.");
                return [];
            }

            if (AiterManifest.Parse(bytes, out AiterManifestError? error) is not { } manifest)
            {
                defects.Add($"The manifest {path} is damaged: {error}.");
                return [];
            }

            var rows = ImmutableArray.CreateBuilder<TRow>();
            foreach (AiterManifestRow row in manifest.Rows)
            {
                if (read(row, out string defect) is { } known) rows.Add(known);
                else defects.Add($"{row.Object.Symbol} in line {row.Object.Line} of {path} is left out: {defect}.");
            }

            return rows.ToImmutable();
        }
    }

    /// <summary>Where the code object of a row should be.</summary>
    internal string PathOf(AiterFamily family, AiterObject kernel) =>
        Path.Combine(_folder, AiterFamilies.FolderOf(family), AiterChips.FolderOf(Chip, family, Target), kernel.File);

    /// <summary>Reads the code object of a row and holds it against what is expected, see <see cref="AiterKernelCheck"/>.</summary>
    /// <param name="family">Its folder.</param>
    /// <param name="kernel">The row's kernel.</param>
    /// <param name="accepted">Layouts that the launcher can fill.</param>
    /// <param name="blockThreads">Threads of a block that the launcher starts.</param>
    /// <param name="ldsLimit">Local memory that a block may have on the device.</param>
    /// <param name="image">The file.</param>
    /// <param name="reason">Why not, a sentence.</param>
    /// <returns>Null with a reason.</returns>
    internal AiterVerifiedKernel? Verify(
        AiterFamily family, AiterObject kernel, ReadOnlySpan<AiterArgumentLayout> accepted, int blockThreads, int ldsLimit, out byte[] image, out string reason)
    {
        string path = PathOf(family, kernel);
        image = AiterFile.Read(path, AiterFile.MaxObjectBytes, out reason) ?? [];
        if (image.Length == 0)
        {
            reason = $"The code object {reason}.";
            return null;
        }

        AiterVerifiedKernel? verified = AiterKernelCheck.Verify(image, Target, kernel.Symbol, accepted, blockThreads, ldsLimit, out string defect);
        reason = verified is null ? $"{path} {defect}." : "";
        return verified;
    }

    private delegate TRow? RowReader<out TRow>(AiterManifestRow row, out string defect)
        where TRow : class;
}
