using Rocm.Inference.Native.Interop;

namespace Rocm.Inference.Native.Tests.Interop;

public sealed class RocmSearchTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("rocm-inference-search-").FullName;

    [Fact]
    public void Variables_come_before_the_installations_and_those_newest_first()
    {
        foreach (string name in (string[])["rocm-5.7.1", "rocm-6.10.0", "rocm-6.2.4", "rocm", "rocm-7", "other"]) Directory.CreateDirectory(Path.Combine(_root, name));
        var search = new RocmSearch { OptRoot = _root, RocmPath = "/a", HipPath = "/b" };

        Assert.Equal(
            [
                "/a/lib", "/b/lib", $"{_root}/rocm-7/lib", $"{_root}/rocm-6.10.0/lib", $"{_root}/rocm-6.2.4/lib", $"{_root}/rocm-5.7.1/lib", $"{_root}/rocm/lib",
            ],
            search.Folders().Select(folder => folder.Folder));
        Assert.Equal(["ROCM_PATH", "HIP_PATH", "default folder"], search.Folders().Select(folder => folder.Origin).Distinct());
    }

    [Fact]
    public void A_link_to_an_installation_takes_its_version_and_is_looked_into_once()
    {
        Directory.CreateDirectory(Path.Combine(_root, "rocm-6.1.0"));
        Directory.CreateDirectory(Path.Combine(_root, "rocm-6.4.0"));
        Directory.CreateSymbolicLink(Path.Combine(_root, "rocm"), Path.Combine(_root, "rocm-6.4.0"));

        Assert.Equal([$"{_root}/rocm/lib", $"{_root}/rocm-6.1.0/lib"], new RocmSearch { OptRoot = _root }.Folders().Select(folder => folder.Folder));
    }

    [Fact]
    public void Without_an_installation_the_usual_folder_is_still_named() =>
        Assert.Equal([(Path.Combine(_root, "rocm", "lib"), "default folder")], new RocmSearch { OptRoot = _root }.Folders());

    [Fact]
    public void An_explicit_path_is_exclusive()
    {
        var search = new RocmSearch { OptRoot = _root, ExplicitPath = "/mine", RocmPath = "/a", HipPath = "/b", LoaderPath = "/c" };
        Assert.Equal([("/mine", "explicit path"), ("/mine/lib", "explicit path")], search.Folders());
        Assert.Empty(search.LoaderFolders());
    }

    [Fact]
    public void On_Windows_the_installation_keeps_its_libraries_in_bin()
    {
        var search = new RocmSearch { OptRoot = _root, HipPath = "C:/ROCm/6.2", Windows = true };
        Assert.Equal([Path.Combine("C:/ROCm/6.2", "bin")], search.Folders().Select(folder => folder.Folder));
        Assert.Equal(["amdhip64_7.dll", "amdhip64_6.dll", "amdhip64.dll"], RocmLibrary.Hip.FileNames(search.Windows));
    }

    [Fact]
    public void The_loaders_variable_comes_before_its_default_folders() =>
        Assert.Equal(["/x", "/y", "/usr/local/lib"], new RocmSearch { LoaderPath = "/x::/y:" }.LoaderFolders().Take(3));

    public void Dispose() => Directory.Delete(_root, recursive: true);
}
