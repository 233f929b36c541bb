using System.Collections.Immutable;
using System.Text;

namespace Rocm.Inference.Native.Aiter;

/// <summary>
/// AITER's code objects on this machine, as its pip wheel, its source tree or a copy of either lays them out: hsa/&lt;target&gt;/&lt;family&gt;/.
/// Finding it reads no code object; nothing here throws because of what the files hold.
/// </summary>
internal sealed class AiterInstallation
{
    private const int MaxTextBytes = 64 << 10;

    private AiterInstallation(string hsaFolder, string origin, string? version, ImmutableArray<string> targets) =>
        (HsaFolder, Origin, Version, Targets) = (hsaFolder, origin, version, targets);

    /// <summary>The folder whose entries are architectures.</summary>
    internal string HsaFolder { get; }

    /// <summary>How it was found: "explicit path", the name of a variable, "Python folder".</summary>
    internal string Origin { get; }

    /// <summary>"0.1.20", or null where the installation does not say.</summary>
    internal string? Version { get; }

    /// <summary>The architectures it has kernels for: "gfx942", in ordinal order.</summary>
    internal ImmutableArray<string> Targets { get; }

    internal static AiterLocation Locate(AiterSearch search)
    {
        var attempts = ImmutableArray.CreateBuilder<AiterAttempt>();
        foreach ((string folder, string origin) in search.Folders())
        {
            try
            {
                AiterInstallation? found = LookInto(folder, origin, out AiterAttempt attempt);
                attempts.Add(attempt);
                if (found is not null) return new AiterLocation(found, attempts.ToImmutable());
            }
            catch (Exception e) when (AiterFile.IsFileError(e))
            {
                attempts.Add(new AiterAttempt(folder, origin, $"cannot be read: {e.Message}", IsPartial: true));
            }
        }

        return new AiterLocation(null, attempts.ToImmutable());
    }

    /// <summary>The kernels for one architecture; what is wrong with them is told by the set.</summary>
    internal AiterKernelSet Kernels(string target, AiterChip chip = AiterChip.Mi300) => AiterKernelSet.Read(this, target, chip);

    public override string ToString() => $"AITER {Version ?? "of unknown version"} in {HsaFolder} ({Origin}) with kernels for {string.Join(", ", Targets)}";

    private static AiterInstallation? LookInto(string folder, string origin, out AiterAttempt attempt)
    {
        folder = Path.GetFullPath(folder);
        if (!Directory.Exists(folder))
        {
            attempt = new AiterAttempt(folder, origin, File.Exists(folder) ? "is a file" : "does not exist", IsPartial: false);
            return null;
        }

        string? empty = null;
        foreach (string hsa in Candidates(folder))
        {
            if (!Directory.Exists(hsa)) continue;
            ImmutableArray<string> targets = TargetsIn(hsa);
            if (!targets.IsEmpty)
            {
                attempt = new AiterAttempt(folder, origin, $"has kernels in {hsa}", IsPartial: false);
                return new AiterInstallation(hsa, origin, VersionBeside(hsa), targets);
            }

            if (hsa != folder) empty ??= hsa;
        }

        bool partial = empty is not null || Directory.Exists(Path.Combine(folder, "aiter"));
        attempt = new AiterAttempt(
            folder, origin, empty is not null ? $"has no kernels in {empty}: AITER was installed without them" : "holds no hsa/<target>/ folder with AITER's kernels", partial);
        return null;
    }

    /// <summary>Where the hsa folder can be, from the folder of a wheel, a checkout, the package, the hsa folder itself or one of its architectures.</summary>
    private static IEnumerable<string> Candidates(string folder)
    {
        yield return folder;
        yield return Path.Combine(folder, "hsa");
        yield return Path.Combine(folder, "aiter_meta", "hsa");
        string name = Path.GetFileName(Path.TrimEndingDirectorySeparator(folder));
        string? parent = Path.GetDirectoryName(Path.TrimEndingDirectorySeparator(folder));
        if (parent is not null && name.StartsWith("gfx", StringComparison.Ordinal)) yield return parent;
        if (parent is not null && name == "aiter")
        {
            yield return Path.Combine(parent, "aiter_meta", "hsa");
            yield return Path.Combine(parent, "hsa");
        }

        foreach (string checkout in DevelopmentInstalls(folder)) yield return Path.Combine(checkout, "hsa");
    }

    /// <summary>Checkouts that a Python folder points at: by a link to the package, or by a file of paths.</summary>
    private static IEnumerable<string> DevelopmentInstalls(string folder)
    {
        string package = Path.Combine(folder, "aiter");
        if (Directory.Exists(package) && Directory.ResolveLinkTarget(package, returnFinalTarget: true) is { } target &&
            Path.GetDirectoryName(target.FullName) is { } linked)
        {
            yield return linked;
        }

        if (ReadText(Path.Combine(package, "install_mode"))?.Trim() == "develop") yield return folder;
        foreach (string file in Directory.GetFiles(folder, "*.pth").Order(StringComparer.Ordinal))
        {
            string name = Path.GetFileName(file);
            if (name != "easy-install.pth" && !name.Contains("aiter", StringComparison.Ordinal)) continue;
            foreach (string line in (ReadText(file) ?? "").Split('\n', StringSplitOptions.TrimEntries))
                if (line.StartsWith('/') && line.Contains("aiter", StringComparison.OrdinalIgnoreCase)) yield return line;
        }
    }

    private static ImmutableArray<string> TargetsIn(string hsa)
    {
        var targets = ImmutableArray.CreateBuilder<string>();
        foreach (string folder in Directory.GetDirectories(hsa, "gfx*"))
        {
            foreach (AiterFamily family in AiterFamilies.All)
            {
                if (!File.Exists(Path.Combine(folder, AiterFamilies.FolderOf(family), AiterFamilies.ManifestOf(family)))) continue;
                targets.Add(Path.GetFileName(folder));
                break;
            }
        }

        targets.Sort(StringComparer.Ordinal);
        return targets.ToImmutable();
    }

    private static string? VersionBeside(string hsa)
    {
        string? root = Path.GetDirectoryName(hsa);
        if (root is null) return null;
        // A wheel has the package beside aiter_meta, a checkout beside hsa.
        foreach (string? folder in new[] { root, Path.GetDirectoryName(root) })
        {
            if (folder is null) continue;
            if (VersionIn(ReadText(Path.Combine(folder, "aiter", "_version.py"))) is { } version) return version;
            if (Path.GetFileName(root) != "aiter_meta") continue;
            string? info = Directory.GetDirectories(folder, "amd_aiter-*.dist-info").Order(StringComparer.Ordinal).LastOrDefault();
            if (info is not null) return Path.GetFileName(info)["amd_aiter-".Length..^".dist-info".Length];
        }

        return null;
    }

    // __version__ = version = '0.1.20.post1'
    private static string? VersionIn(string? text)
    {
        foreach (string line in (text ?? "").Split('\n', StringSplitOptions.TrimEntries))
        {
            if (!line.StartsWith("__version__", StringComparison.Ordinal) || !line.Contains('=', StringComparison.Ordinal)) continue;
            string value = line[(line.LastIndexOf('=') + 1)..].Trim().Trim('\'', '"');
            if (value.Length is > 0 and <= 64 && char.IsAsciiDigit(value[0]) && value.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '+' or '-')) return value;
        }

        return null;
    }

    private static string? ReadText(string path) => AiterFile.Read(path, MaxTextBytes, out _) is { } bytes ? Encoding.UTF8.GetString(bytes) : null;
}
