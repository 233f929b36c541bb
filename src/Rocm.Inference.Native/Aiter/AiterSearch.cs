using System.Collections.Immutable;

namespace Rocm.Inference.Native.Aiter;

/// <summary>
/// Where AITER is looked for: a named path and nothing else when one is given, by the caller or by ROCM_INFERENCE_AITER_PATH; otherwise AITER's own
/// variables, then the Python environments that a user is likely to have installed it into.
/// </summary>
internal sealed record AiterSearch
{
    internal const string PathVariable = "ROCM_INFERENCE_AITER_PATH";

    /// <summary>A checkout, a site-packages folder, an hsa folder or one of its architectures; exclusive.</summary>
    internal string? ExplicitPath { get; init; }

    /// <summary>The value of <see cref="PathVariable"/>; exclusive too, so that a named installation is never silently replaced.</summary>
    internal string? NamedPath { get; init; }

    /// <summary>AITER_META_DIR: the folder that holds csrc and hsa.</summary>
    internal string? MetaFolder { get; init; }

    /// <summary>AITER_ASM_DIR: the hsa folder; up to AITER 0.1.9 the folder of one architecture.</summary>
    internal string? AsmFolder { get; init; }

    /// <summary>Folders that Python imports from, in order.</summary>
    internal ImmutableArray<string> PythonFolders { get; init; } = [];

    internal static AiterSearch FromEnvironment(string? explicitPath) => new()
    {
        ExplicitPath = string.IsNullOrWhiteSpace(explicitPath) ? null : explicitPath,
        NamedPath = Variable(PathVariable),
        MetaFolder = Variable("AITER_META_DIR"),
        AsmFolder = Variable("AITER_ASM_DIR"),
        PythonFolders = OperatingSystem.IsLinux() ? PythonFoldersOf(Variable, "/") : [],
    };

    /// <summary>Import folders of the environments that variables name, of the user and of the system.</summary>
    /// <param name="variable">Value of an environment variable, or null.</param>
    /// <param name="root">The file system's root.</param>
    internal static ImmutableArray<string> PythonFoldersOf(Func<string, string?> variable, string root)
    {
        var folders = ImmutableArray.CreateBuilder<string>();
        foreach (string entry in (variable("PYTHONPATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries)) folders.Add(entry);
        foreach (string name in (ReadOnlySpan<string>)["VIRTUAL_ENV", "CONDA_PREFIX"])
            if (variable(name) is { } prefix) AddVersions(folders, Path.Combine(prefix, "lib"));
        if (variable("HOME") is { } home) AddVersions(folders, Path.Combine(home, ".local", "lib"));
        AddVersions(folders, Path.Combine(root, "usr", "local", "lib"));
        AddVersions(folders, Path.Combine(root, "usr", "lib"));
        AddVersions(folders, Path.Combine(root, "opt", "venv", "lib"));
        return [.. folders.Distinct(StringComparer.Ordinal)];
    }

    /// <summary>Folders to look into, in order, with the reason for each; a folder need not exist.</summary>
    internal ImmutableArray<(string Folder, string Origin)> Folders()
    {
        if (ExplicitPath is not null) return [(ExplicitPath, "explicit path")];
        if (NamedPath is not null) return [(NamedPath, PathVariable)];
        var folders = ImmutableArray.CreateBuilder<(string, string)>();
        if (MetaFolder is not null) folders.Add((MetaFolder, "AITER_META_DIR"));
        if (AsmFolder is not null) folders.Add((AsmFolder, "AITER_ASM_DIR"));
        foreach (string folder in PythonFolders) folders.Add((folder, "Python folder"));
        return folders.ToImmutable();
    }

    private static void AddVersions(ImmutableArray<string>.Builder folders, string lib)
    {
        string[] versions;
        try
        {
            versions = Directory.GetDirectories(lib, "python3*");
        }
        catch (Exception e) when (AiterFile.IsFileError(e))
        {
            return;
        }

        // The newest first: 3.12 before 3.9.
        foreach (string version in versions.OrderByDescending(path => path.Length).ThenByDescending(path => path, StringComparer.Ordinal))
            foreach (string name in (ReadOnlySpan<string>)["site-packages", "dist-packages"])
                folders.Add(Path.Combine(version, name));
    }

    private static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { } value && !string.IsNullOrWhiteSpace(value) ? value : null;
}
