using System.Text.RegularExpressions;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Tests.Architecture;

/// <summary>The README stays true: its paths exist and its code is code that compiles.</summary>
public sealed partial class ReadmeTests
{
    private static readonly string Readme = File.ReadAllText(Path.Combine(RepositoryPaths.Root, "README.md"));

    [Fact]
    public void Every_path_in_the_readme_exists()
    {
        string[] paths = [.. RepositoryPath().Matches(Readme).Select(match => match.Value.Trim('`')).Distinct()];

        Assert.True(paths.Length > 15, $"only {paths.Length} paths were found: the test looks for the wrong thing");
        Assert.All(paths, path => Assert.True(Path.Exists(Path.Combine(RepositoryPaths.Root, path)), path));
    }

    [Fact]
    public void Every_snippet_in_the_readme_is_a_region_of_the_compiled_snippets()
    {
        string source = File.ReadAllText(Path.Combine(RepositoryPaths.Root, "tests", "Rocm.Inference.Tests", "Architecture", "ReadmeSnippets.cs"));
        MatchCollection snippets = Snippet().Matches(Readme);

        Assert.True(snippets.Count >= 3);
        Assert.Equal(Readme.Split("```csharp").Length - 1, snippets.Count);
        foreach (Match snippet in snippets)
        {
            string name = snippet.Groups["name"].Value;
            Match region = Regex.Match(source, $@"// snippet: {name}\n(?<code>.*?)\n\s*// end of snippet", RegexOptions.Singleline);
            Assert.True(region.Success, $"no compiled snippet is named {name}");
            Assert.Equal(Unindent(region.Groups["code"].Value), snippet.Groups["code"].Value.TrimEnd());
        }
    }

    private static string Unindent(string code)
    {
        string[] lines = code.Split('\n');
        int indent = lines.Where(line => line.Length > 0).Min(line => line.Length - line.TrimStart().Length);
        return string.Join('\n', lines.Select(line => line.Length == 0 ? line : line[indent..])).TrimEnd();
    }

    [GeneratedRegex(@"`(?:src|tests|samples|nuget|\.ci)/[A-Za-z0-9_./-]+`")]
    private static partial Regex RepositoryPath();

    [GeneratedRegex(@"<!-- snippet: (?<name>\w+) -->\n```csharp\n(?<code>.*?)```", RegexOptions.Singleline)]
    private static partial Regex Snippet();
}
