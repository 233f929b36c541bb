using System.Formats.Tar;
using System.IO.Compression;

namespace Rocm.Inference.Native.Kernels;

/// <summary>
/// Code objects that were compiled when the package was made and are embedded in this assembly: one archive for each target, an entry for each unit
/// of precompiled.txt. A build that was not told to embed them has none.
/// </summary>
internal sealed class PrecompiledKernels
{
    private const string Prefix = "code/";
    private const string Extension = ".tar.gz";
    private readonly Dictionary<string, byte[]> _units = new(StringComparer.Ordinal);

    private PrecompiledKernels()
    {
    }

    /// <summary>Targets that this build holds code for, sorted: "gfx1100", "gfx942" ….</summary>
    internal static IReadOnlyList<string> Targets { get; } =
    [
        .. typeof(PrecompiledKernels).Assembly.GetManifestResourceNames()
            .Where(name => name.StartsWith(Prefix, StringComparison.Ordinal) && name.EndsWith(Extension, StringComparison.Ordinal))
            .Select(name => name[Prefix.Length..^Extension.Length]).Order(StringComparer.Ordinal),
    ];

    /// <summary>Number of units.</summary>
    internal int Count => _units.Count;

    /// <summary>The code for a target; empty when this build has none for it.</summary>
    /// <param name="target">The architecture without its feature flags.</param>
    internal static PrecompiledKernels Of(string target)
    {
        using Stream? resource = typeof(PrecompiledKernels).Assembly.GetManifestResourceStream(Prefix + target + Extension);
        return resource is null ? new PrecompiledKernels() : Read(resource);
    }

    /// <summary>Reads an archive as precompile.sh writes it.</summary>
    internal static PrecompiledKernels Read(Stream archive)
    {
        var kernels = new PrecompiledKernels();
        using var unpacked = new GZipStream(archive, CompressionMode.Decompress);
        using var reader = new TarReader(unpacked);
        while (reader.GetNextEntry() is { } entry)
        {
            if (entry.DataStream is not { } data) continue;
            byte[] code = new byte[checked((int)entry.Length)];
            data.ReadExactly(code);
            kernels._units[entry.Name] = code;
        }

        return kernels;
    }

    /// <summary>The code of a unit, or null when it was not compiled ahead.</summary>
    internal byte[]? Find(KernelUnit unit) => _units.GetValueOrDefault(unit.EntryName);
}
