using System.Diagnostics;
using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using Rocm.Inference.Native.Kernels;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Benchmarks.KernelReport;

/// <summary>The code objects that the package would hold for a target, compiled as the package compiles them.</summary>
/// <param name="Target">"gfx942".</param>
/// <param name="Files">Instance as in precompiled.txt to the code object's file.</param>
/// <param name="ArchiveBytes">Size of the archive that is embedded.</param>
/// <param name="Duration">Time of compiling all of them.</param>
internal sealed record CompiledUnits(string Target, IReadOnlyDictionary<string, string> Files, long ArchiveBytes, TimeSpan Duration)
{
    public static readonly string Sources = Path.Combine(RepositoryPaths.Root, "src", "Rocm.Inference.Native", "Kernels");

    /// <summary>Instances that the package holds for all targets, then those that it holds for CDNA alone: a file, then its macros.</summary>
    public static IReadOnlyList<string> Instances => [.. ListOf("precompiled.txt"), .. ListOf("precompiled.cdna.txt")];

    /// <summary>Of these, the ones for a target.</summary>
    public static IReadOnlyList<string> InstancesOf(string target) =>
        target.StartsWith("gfx9", StringComparison.Ordinal) ? Instances : [.. ListOf("precompiled.txt")];

    /// <summary>A hash of all that an instance is compiled from: its source with its headers, and its macros.</summary>
    public static string SourceOf(string instance)
    {
        string text = new KernelSources().Read(instance.Split(' ')[0]).Text;
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(instance + '\0' + text)))[..8];
    }

    /// <summary>Runs precompile.sh for some instances and unpacks what it made.</summary>
    public static CompiledUnits Compile(string target, string folder, IReadOnlyCollection<string> instances)
    {
        string archive = Path.Combine(folder, target + ".tar.gz"), list = Path.Combine(folder, target + ".txt");
        File.WriteAllLines(list, instances);
        long start = Stopwatch.GetTimestamp();
        Tool.Run("bash", Path.Combine(Sources, "precompile.sh"), target, archive, list);
        TimeSpan duration = Stopwatch.GetElapsedTime(start);
        string unpacked = Path.Combine(folder, target);
        Directory.CreateDirectory(unpacked);
        using (var stream = new GZipStream(File.OpenRead(archive), CompressionMode.Decompress)) TarFile.ExtractToDirectory(stream, unpacked, overwriteFiles: true);
        var files = new Dictionary<string, string>();
        foreach (string instance in instances)
        {
            string[] words = instance.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            files.Add(instance, Path.Combine(unpacked, words[0][..^".hip".Length], string.Join(',', words[1..]) + ".co"));
        }

        return new CompiledUnits(target, files, new FileInfo(archive).Length, duration);
    }

    private static IEnumerable<string> ListOf(string name) => File.ReadLines(Path.Combine(Sources, name)).Where(line => line.Length > 0 && line[0] != '#');
}
