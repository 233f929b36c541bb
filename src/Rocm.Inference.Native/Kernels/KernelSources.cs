using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using Rocm.Inference.Native.Hiprtc;

namespace Rocm.Inference.Native.Kernels;

/// <summary>
/// The kernels' sources, embedded in this assembly. A translation unit is handed to the compiler as one text with its headers in place: versions of
/// hipRTC differ in how they find headers by paths.
/// </summary>
internal sealed class KernelSources
{
    private const string Root = "kernels/";
    private const string Include = "#include \"";
    private readonly ConcurrentDictionary<string, HiprtcSource> _units = new();

    /// <summary>Paths of all translation units, sorted: "attention/paged_attention.hip".</summary>
    internal static IReadOnlyList<string> Files { get; } =
    [
        .. typeof(KernelSources).Assembly.GetManifestResourceNames()
            .Where(name => name.StartsWith(Root, StringComparison.Ordinal) && name.EndsWith(".hip", StringComparison.Ordinal))
            .Select(name => name[Root.Length..]).Order(StringComparer.Ordinal),
    ];

    /// <summary>A translation unit with its headers in place.</summary>
    /// <param name="file">Its path.</param>
    /// <exception cref="FileNotFoundException">There is no such source, or it includes one that is not there.</exception>
    internal HiprtcSource Read(string file) => _units.GetOrAdd(file, static path =>
    {
        var text = new StringBuilder();
        Append(path, text, []);
        return new HiprtcSource(path, text.ToString(), []);
    });

    private static void Append(string path, StringBuilder text, HashSet<string> seen)
    {
        if (!seen.Add(path)) return;
        int number = 0;
        AppendPosition(text, 1, path);
        foreach (string line in Lines(path))
        {
            number++;
            if (line.StartsWith("#pragma once", StringComparison.Ordinal))
            {
                text.Append('\n');
            }
            else if (line.StartsWith(Include, StringComparison.Ordinal))
            {
                Append(Resolve(path, line[Include.Length..line.LastIndexOf('"')]), text, seen);
                AppendPosition(text, number + 1, path);
            }
            else
            {
                text.Append(line).Append('\n');
            }
        }
    }

    private static void AppendPosition(StringBuilder text, int line, string path) => text.Append(CultureInfo.InvariantCulture, $"#line {line} \"{path}\"\n");

    // Paths are relative to the file that includes, as compilers take them.
    private static string Resolve(string from, string included)
    {
        var parts = new List<string>(from.Split('/')[..^1]);
        foreach (string part in included.Split('/'))
        {
            if (part == "..") parts.RemoveAt(parts.Count - 1);
            else parts.Add(part);
        }

        return string.Join('/', parts);
    }

    private static IEnumerable<string> Lines(string path)
    {
        using Stream stream = typeof(KernelSources).Assembly.GetManifestResourceStream(Root + path)
            ?? throw new FileNotFoundException($"The assembly holds no kernel source '{path}'; it holds {string.Join(", ", Files)} and their headers.", path);
        using var reader = new StreamReader(stream);
        while (reader.ReadLine() is { } line) yield return line;
    }
}
