using System.IO.Compression;
using System.Security.Cryptography;
using System.Xml.Linq;
using Xunit;

namespace Rocm.Inference.Packaging;

/// <summary>What is in the packages.</summary>
public sealed class PackageContentTests(PackedPackages packages)
{
    [Theory]
    [InlineData("Rocm.Inference")]
    [InlineData("Rocm.Inference.Native")]
    public void A_package_has_assembly_documentation_readme_licence_and_symbols(string id)
    {
        using ZipArchive package = ZipFile.OpenRead(PathOf(id, "nupkg"));
        string[] entries = [.. package.Entries.Select(entry => entry.FullName)];
        Assert.Contains($"lib/net10.0/{id}.dll", entries);
        Assert.Contains($"lib/net10.0/{id}.xml", entries);
        Assert.Contains("README.md", entries);
        XElement metadata = Metadata(package, id);
        Assert.Equal("MIT", Value(metadata, "license"));
        Assert.False(string.IsNullOrWhiteSpace(Value(metadata, "description")));

        using ZipArchive symbols = ZipFile.OpenRead(PathOf(id, "snupkg"));
        Assert.Contains($"lib/net10.0/{id}.pdb", symbols.Entries.Select(entry => entry.FullName));
    }

    [Fact]
    public void The_package_depends_on_exactly_its_own_native_half_and_on_no_eleventh_generation_package()
    {
        using ZipArchive package = ZipFile.OpenRead(PathOf("Rocm.Inference", "nupkg"));
        XElement metadata = Metadata(package, "Rocm.Inference");
        Dictionary<string, string> dependencies = metadata.Descendants().Where(e => e.Name.LocalName == "dependency")
            .ToDictionary(e => e.Attribute("id")!.Value, e => e.Attribute("version")!.Value);

        Assert.Equal($"[{packages.Version}]", dependencies["Rocm.Inference.Native"]);
        Assert.All(dependencies.Values, version => Assert.DoesNotMatch(@"^\[?11\.", version));
        Assert.Contains("Microsoft.Extensions.DependencyInjection.Abstractions", dependencies.Keys);
        Assert.Contains("Microsoft.Extensions.Logging.Abstractions", dependencies.Keys);
        Assert.Contains("System.Numerics.Tensors", dependencies.Keys);
        Assert.Contains("CommunityToolkit.HighPerformance", dependencies.Keys);
    }

    [Fact]
    public async Task Packing_twice_gives_the_same_bytes()
    {
        string again = Path.Combine(packages.Folder, "again");
        await packages.PackAsync(again);

        foreach (string id in new[] { "Rocm.Inference", "Rocm.Inference.Native" })
        {
            string name = $"{id}.{packages.Version}.nupkg";
            Assert.Equal(await HashAsync(Path.Combine(packages.Feed, name)), await HashAsync(Path.Combine(again, name)));
        }
    }

    private static async Task<string> HashAsync(string path)
    {
        await using FileStream stream = File.OpenRead(path);
        return Convert.ToHexString(await SHA256.HashDataAsync(stream));
    }

    private static XElement Metadata(ZipArchive package, string id)
    {
        using Stream stream = package.GetEntry($"{id}.nuspec")!.Open();
        return XDocument.Load(stream).Root!.Elements().Single(element => element.Name.LocalName == "metadata");
    }

    private static string? Value(XElement metadata, string name) =>
        metadata.Elements().SingleOrDefault(element => element.Name.LocalName == name)?.Value;

    private string PathOf(string id, string extension) => Path.Combine(packages.Feed, $"{id}.{packages.Version}.{extension}");
}
