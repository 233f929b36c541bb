using System.Text.RegularExpressions;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Tests.Architecture;

/// <summary>References go one way. The table is the rule: a folder may use internal types of the folders on its right, and no other.</summary>
public sealed partial class LayeringTests
{
    private static readonly Dictionary<string, string[]> MayUse = new()
    {
        [""] = ["Engine", "Devices", "Diagnostics", "SelfTest", "Tokenization"],
        ["DependencyInjection"] = ["", "Engine", "Diagnostics"],
        ["Engine"] = ["Attention", "Attention.Backends", "Batching", "Devices", "Devices.Cpu", "Devices.Hip", "Diagnostics", "KvCache", "KvCache.Storage", "Layers", "Models", "Models.Weights", "Native", "Sampling", "Scheduling", "SelfTest", "Tokenization"],
        ["Models"] = ["Attention", "Batching", "Devices", "Diagnostics", "KvCache", "Layers", "Models.Families", "Models.Weights"],
        ["Models.Families"] = ["Devices", "Diagnostics", "Layers", "Models"],
        ["Models.Weights"] = ["Devices", "Diagnostics", "Models"],
        ["Layers"] = ["Attention", "Batching", "Devices", "Diagnostics", "Models.Weights"],
        ["Attention"] = ["Attention.Backends", "Batching", "Devices", "Diagnostics", "KvCache.Storage"],
        ["Attention.Backends"] = ["Attention", "Batching", "Devices", "Diagnostics", "KvCache.Storage"],
        ["Batching"] = ["Devices", "KvCache", "Scheduling"],
        ["KvCache.Storage"] = ["Devices", "KvCache"],
        ["SelfTest"] = ["Devices", "Diagnostics", "Sampling"],
        ["Sampling"] = [],
        ["Scheduling"] = ["KvCache", "Diagnostics"],
        ["KvCache"] = ["Diagnostics"],
        ["Tokenization"] = ["Diagnostics"],
        ["Diagnostics"] = [],
        ["Devices"] = ["Diagnostics", "Native", "Sampling"],
        ["Devices.Hip"] = ["Devices", "Diagnostics", "Native", "Sampling"],
        ["Devices.Cpu"] = ["Devices", "Diagnostics", "Sampling"],
    };

    [Fact]
    public void Folders_use_only_what_the_layering_table_allows()
    {
        string source = Path.Combine(RepositoryPaths.Root, "src", "Rocm.Inference");
        var violations = new List<string>();
        int seen = 0;
        foreach (string file in Directory.EnumerateFiles(source, "*.cs", SearchOption.AllDirectories))
        {
            string relative = Path.GetRelativePath(source, file);
            string folder = (Path.GetDirectoryName(relative) ?? string.Empty).Replace(Path.DirectorySeparatorChar, '.');
            if (folder.StartsWith("obj", StringComparison.Ordinal) || folder.StartsWith("bin", StringComparison.Ordinal)) continue;
            if (AreaOf(folder) is not { } area)
            {
                violations.Add($"{relative}: folder {folder} is not in the layering table");
                continue;
            }

            foreach (Match match in Using().Matches(File.ReadAllText(file)))
            {
                seen++;
                string used = match.Groups[1].Value;
                string usedArea = AreaOf(used) ?? used.Split('.')[0];
                if (usedArea != area && !MayUse[area].Contains(usedArea)) violations.Add($"{relative}: {area} may not use {used}");
            }
        }

        Assert.True(seen > 0, "no using directive was seen: the test looks in the wrong place");
        Assert.Empty(violations);
    }

    /// <summary>The most specific row of the table that a folder falls under; null when there is none.</summary>
    private static string? AreaOf(string folder) =>
        MayUse.Keys.Where(key => folder == key || (key.Length > 0 && folder.StartsWith(key + ".", StringComparison.Ordinal))).MaxBy(key => key.Length);

    [Fact]
    public void No_source_file_is_longer_than_four_hundred_lines()
    {
        IEnumerable<string> tooLong = Directory.EnumerateFiles(Path.Combine(RepositoryPaths.Root, "src"), "*.cs", SearchOption.AllDirectories)
            .Where(file => !file.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal))
            .Where(file => File.ReadLines(file).Count() > 400);

        Assert.Empty(tooLong);
    }

    [GeneratedRegex(@"^using (?:static )?Rocm\.Inference\.([A-Za-z.]+?);", RegexOptions.Multiline)]
    private static partial Regex Using();
}
