using System.Collections.Immutable;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Rocm.Inference.Native.Interop;

/// <summary>
/// Where ROCm libraries are looked for: an explicit file or folder and nothing else when one is given; otherwise ROCM_PATH, HIP_PATH,
/// /opt/rocm* (newest version first), and last the system loader's own places.
/// </summary>
internal sealed record RocmSearch
{
    /// <summary>A library file, a folder that holds it, or a ROCm folder; exclusive, so that a named installation is never silently replaced.</summary>
    internal string? ExplicitPath { get; init; }

    internal string? RocmPath { get; init; }

    internal string? HipPath { get; init; }

    internal string? LoaderPath { get; init; }

    /// <summary>The folder whose rocm* entries are installations.</summary>
    internal string OptRoot { get; init; } = "/opt";

    internal bool Windows { get; init; }

    internal static RocmSearch FromEnvironment(string? explicitPath) => new()
    {
        ExplicitPath = string.IsNullOrWhiteSpace(explicitPath) ? null : Path.GetFullPath(explicitPath),
        RocmPath = Environment.GetEnvironmentVariable("ROCM_PATH"),
        HipPath = Environment.GetEnvironmentVariable("HIP_PATH"),
        LoaderPath = Environment.GetEnvironmentVariable("LD_LIBRARY_PATH"),
        Windows = OperatingSystem.IsWindows(),
    };

    /// <summary>Folders to look into, in order, with the reason for each; a folder need not exist.</summary>
    internal ImmutableArray<(string Folder, string Origin)> Folders()
    {
        var folders = ImmutableArray.CreateBuilder<(string, string)>();
        if (ExplicitPath is not null)
        {
            folders.Add((ExplicitPath, "explicit path"));
            AddInstallation(folders, ExplicitPath, "explicit path");
            return folders.ToImmutable();
        }

        if (!string.IsNullOrEmpty(RocmPath)) AddInstallation(folders, RocmPath, "ROCM_PATH");
        if (!string.IsNullOrEmpty(HipPath) && HipPath != RocmPath) AddInstallation(folders, HipPath, "HIP_PATH");
        if (Windows) return folders.ToImmutable();

        var installations = Installations();
        foreach (string installation in installations) AddInstallation(folders, installation, "default folder");
        if (installations.IsEmpty) folders.Add((Path.Combine(OptRoot, "rocm", "lib"), "default folder"));
        return folders.ToImmutable();
    }

    /// <summary>
    /// Folders the system's loader would search, as far as they can be told without parsing its cache. They are looked into first, because a
    /// damaged file there would take the process down inside the loader.
    /// </summary>
    internal ImmutableArray<string> LoaderFolders()
    {
        if (Windows || ExplicitPath is not null) return [];
        string triplet = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? "aarch64-linux-gnu" : "x86_64-linux-gnu";
        string[] fromVariable = (LoaderPath ?? "").Split([':', ';'], StringSplitOptions.RemoveEmptyEntries);
        return
        [
            .. fromVariable, "/usr/local/lib", $"/lib/{triplet}", $"/usr/lib/{triplet}", "/lib64", "/usr/lib64", "/lib", "/usr/lib",
        ];
    }

    private void AddInstallation(ImmutableArray<(string, string)>.Builder folders, string root, string origin)
    {
        foreach (string name in Windows ? ["bin"] : new[] { "lib", "lib64" })
        {
            string folder = Path.Combine(root, name);
            // lib64 is rare: it is not worth a line in the diagnosis when it is not there.
            if (name != "lib64" || Directory.Exists(folder)) folders.Add((folder, origin));
        }
    }

    private ImmutableArray<string> Installations()
    {
        string[] found;
        try
        {
            found = Directory.GetDirectories(OptRoot, "rocm*");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }

        // /opt/rocm is normally a link to one of the versioned folders: same target, one entry.
        return
        [
            .. found.Select(path => (Path: path, Target: TargetOf(path)))
                .OrderByDescending(item => VersionOf(item.Path, item.Target)).ThenBy(item => item.Path, StringComparer.Ordinal)
                .DistinctBy(item => item.Target).Select(item => item.Path),
        ];
    }

    private static string TargetOf(string path)
    {
        try
        {
            return Directory.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path;
        }
        catch (IOException)
        {
            return path;
        }
    }

    private static Version VersionOf(string path, string target)
    {
        foreach (string name in new[] { Path.GetFileName(path), Path.GetFileName(target) })
        {
            string digits = new([.. name.SkipWhile(c => !char.IsAsciiDigit(c)).TakeWhile(c => char.IsAsciiDigit(c) || c == '.')]);
            if (Version.TryParse(digits, out Version? version)) return version;
            if (int.TryParse(digits, CultureInfo.InvariantCulture, out int major)) return new Version(major, 0);
        }

        return new Version(0, 0);
    }
}
