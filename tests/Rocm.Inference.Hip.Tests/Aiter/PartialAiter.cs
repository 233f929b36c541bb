using Rocm.Inference.Native.Aiter;

namespace Rocm.Inference.Hip.Tests.Aiter;

/// <summary>An installation with a family's code objects of another, of which its manifest lists some.</summary>
internal sealed class PartialAiter : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("rocm-inference-aiter-").FullName;

    /// <param name="kernels">The other's.</param>
    /// <param name="family">Folder of the family.</param>
    /// <param name="isListed">Lines of the manifest that stay.</param>
    internal PartialAiter(AiterKernelSet kernels, string family, Func<string, bool> isListed)
    {
        string from = Path.GetDirectoryName(kernels.PathOf(AiterFamily.Mla, kernels.Mla[0].Object))!;
        from = Path.Combine(from, "..", family);
        string to = Directory.CreateDirectory(Path.Combine(_root, "hsa", kernels.Target, family)).FullName;
        foreach (string path in Directory.GetFiles(from))
        {
            string name = Path.GetFileName(path);
            if (name.EndsWith(".csv", StringComparison.Ordinal)) File.WriteAllLines(Path.Combine(to, name), File.ReadLines(path).Where(isListed));
            else File.CreateSymbolicLink(Path.Combine(to, name), Path.GetFullPath(path));
        }
    }

    internal AiterInstallation Find()
    {
        AiterLocation location = AiterInstallation.Locate(new AiterSearch { ExplicitPath = _root });
        Assert.True(location.Installation is not null, location.ToString());
        return location.Installation;
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);
}
