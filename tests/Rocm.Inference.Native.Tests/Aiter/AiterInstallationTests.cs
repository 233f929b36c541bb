using Rocm.Inference.Native.Aiter;

namespace Rocm.Inference.Native.Tests.Aiter;

public sealed class AiterInstallationTests
{
    [Fact]
    public void A_checkout_is_found_from_its_root_its_hsa_folder_and_an_architecture()
    {
        using var aiter = new SimulatedAiter();
        Directory.CreateDirectory(Path.Combine(aiter.Root, "aiter"));
        File.WriteAllText(Path.Combine(aiter.Root, "aiter", "_version.py"), "# made by a tool\n__version__ = version = '0.1.20.post1'\n__version_tuple__ = version_tuple = (0, 1, 20)\n");
        foreach (string path in (string[])[aiter.Root, aiter.Hsa, Path.Combine(aiter.Hsa, "gfx942"), Path.Combine(aiter.Root, "aiter"), aiter.Root + "/"])
        {
            AiterInstallation? found = AiterInstallation.Locate(new AiterSearch { ExplicitPath = path }).Installation;
            Assert.Equal((aiter.Hsa, "0.1.20.post1", "explicit path"), (found!.HsaFolder, found.Version, found.Origin));
            Assert.Equal(["gfx942"], found.Targets);
        }
    }

    [Fact]
    public void A_wheel_is_found_in_its_site_packages_with_the_version_of_its_dist_info()
    {
        using var aiter = new SimulatedAiter("aiter_meta");
        Directory.CreateDirectory(Path.Combine(aiter.Root, "amd_aiter-0.1.18.dist-info"));
        AiterInstallation? found = AiterInstallation.Locate(new AiterSearch { PythonFolders = ["/nowhere", aiter.Root] }).Installation;
        Assert.Equal((aiter.Hsa, "0.1.18", "Python folder"), (found!.HsaFolder, found.Version, found.Origin));
    }

    [Fact]
    public void A_development_install_is_found_by_its_link_and_by_its_file_of_paths()
    {
        using var aiter = new SimulatedAiter();
        Directory.CreateDirectory(Path.Combine(aiter.Root, "aiter"));
        string linked = Directory.CreateDirectory(Path.Combine(aiter.Root, "linked")).FullName, listed = Directory.CreateDirectory(Path.Combine(aiter.Root, "listed")).FullName;
        Directory.CreateSymbolicLink(Path.Combine(linked, "aiter"), Path.Combine(aiter.Root, "aiter"));
        File.WriteAllText(Path.Combine(listed, "__editable__.amd_aiter.pth"), aiter.Root + "\n");
        foreach (string folder in (string[])[linked, listed])
            Assert.Equal(aiter.Hsa, AiterInstallation.Locate(new AiterSearch { PythonFolders = [folder] }).Installation?.HsaFolder);
    }

    [Fact]
    public void Named_paths_come_first_and_are_never_replaced_by_another()
    {
        using var first = new SimulatedAiter();
        using var second = new SimulatedAiter();
        var search = new AiterSearch { ExplicitPath = first.Root, NamedPath = second.Root, MetaFolder = second.Root, AsmFolder = second.Hsa, PythonFolders = [second.Root] };
        Assert.Equal(first.Hsa, AiterInstallation.Locate(search).Installation?.HsaFolder);
        search = search with { ExplicitPath = null };
        Assert.Equal(AiterSearch.PathVariable, AiterInstallation.Locate(search).Installation?.Origin);
        AiterLocation missing = AiterInstallation.Locate(search with { NamedPath = "/nowhere/aiter" });
        Assert.Null(missing.Installation);
        Assert.Equal($"AITER was not found. /nowhere/aiter ({AiterSearch.PathVariable}) does not exist.", missing.ToString());
        search = search with { NamedPath = null };
        Assert.Equal("AITER_META_DIR", AiterInstallation.Locate(search).Installation?.Origin);
        Assert.Equal("AITER_ASM_DIR", AiterInstallation.Locate(search with { MetaFolder = "/nowhere" }).Installation?.Origin);
        // Up to AITER 0.1.9 the variable names the folder of one architecture.
        Assert.Equal(second.Hsa, AiterInstallation.Locate(search with { MetaFolder = null, AsmFolder = Path.Combine(second.Hsa, "gfx942/") }).Installation?.HsaFolder);
    }

    [Fact]
    public void An_installation_without_kernels_says_so()
    {
        using var aiter = new SimulatedAiter("aiter_meta");
        Directory.Delete(aiter.Hsa, recursive: true);
        Directory.CreateDirectory(aiter.Hsa);
        AiterLocation location = AiterInstallation.Locate(new AiterSearch { PythonFolders = ["/nowhere", aiter.Root] });
        Assert.Null(location.Installation);
        Assert.Equal($"AITER was not found. {aiter.Root} (Python folder) has no kernels in {aiter.Hsa}: AITER was installed without them.", location.ToString());
        Assert.StartsWith("AITER was not found. Looked into 1 Python folders", AiterInstallation.Locate(new AiterSearch { PythonFolders = ["/nowhere"] }).ToString(), StringComparison.Ordinal);
        foreach (string path in (string[])["\0", "", new string('x', 5000), "/dev/null"])
            Assert.Null(AiterInstallation.Locate(new AiterSearch { ExplicitPath = path }).Installation);
    }

    [Fact]
    public void Python_folders_are_those_of_environments_then_of_user_and_system_the_newest_first()
    {
        using var aiter = new SimulatedAiter();
        foreach (string folder in (string[])["venv/lib/python3.12", "home/.local/lib/python3.9", "home/.local/lib/python3.10", "usr/lib/python3"])
            Directory.CreateDirectory(Path.Combine(aiter.Root, folder));
        var folders = AiterSearch.PythonFoldersOf(
            name => name switch { "PYTHONPATH" => "/a:/b", "VIRTUAL_ENV" => Path.Combine(aiter.Root, "venv"), "HOME" => Path.Combine(aiter.Root, "home"), _ => null }, aiter.Root);
        Assert.Equal(
            ["/a", "/b", "venv/lib/python3.12/site-packages", "home/.local/lib/python3.10/site-packages", "home/.local/lib/python3.9/site-packages", "usr/lib/python3/site-packages"],
            folders.Where(folder => !folder.EndsWith("dist-packages", StringComparison.Ordinal)).Select(folder => folder.Replace(aiter.Root + "/", "", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData(0x74a1, 304, "MI300")]
    [InlineData(0x74a2, 80, "MI308")]
    [InlineData(0x74bc, 304, "MI308")]
    [InlineData(0, 80, "MI308")]
    [InlineData(0, 304, "MI300")]
    public void Flash_kernels_of_gfx942_lie_in_a_folder_of_their_chip(int chipId, int units, string folder)
    {
        using var aiter = new SimulatedAiter();
        AiterKernelSet kernels = aiter.Find().Kernels("gfx942", AiterChips.Of(chipId, units));
        var kernel = new AiterObject("_k", "k.co", 2);
        Assert.Equal(Path.Combine(aiter.Folder("fmha_v3_fwd"), folder, "k.co"), kernels.PathOf(AiterFamily.FlashForward, kernel));
        Assert.Equal(Path.Combine(aiter.Folder("pa"), "k.co"), kernels.PathOf(AiterFamily.PagedAttention, kernel));
    }

    [Fact]
    public void Each_file_that_is_missing_or_damaged_costs_its_kernels_only_and_is_named()
    {
        using var aiter = new SimulatedAiter();
        AiterCapabilities sound = AiterCapabilities.Of(aiter.Find(), "gfx942", AiterChip.Mi300, 65536);
        Assert.Empty(sound.Defects);
        Assert.All(sound.Kernels, kernel => Assert.Equal("", kernel.Refusal));
        Assert.Equal(6, sound.Kernels.Length);
        foreach (string path in Directory.GetFiles(aiter.Hsa, "*", SearchOption.AllDirectories))
        {
            byte[] whole = File.ReadAllBytes(path);
            foreach (byte[]? damaged in (byte[]?[])[null, [], whole[..(whole.Length / 2)], [.. whole.Select(value => (byte)~value)]])
            {
                File.Delete(path);
                if (damaged is not null) File.WriteAllBytes(path, damaged);
                AiterCapabilities found = AiterCapabilities.Of(aiter.Find(), "gfx942", AiterChip.Mi300, 65536);
                if (path.EndsWith(".co", StringComparison.Ordinal))
                {
                    AiterCapability refused = Assert.Single(found.Kernels, kernel => !kernel.IsUsable);
                    Assert.Contains(path, refused.Refusal, StringComparison.Ordinal);
                    Assert.Equal(6, found.Kernels.Length);
                }
                else
                {
                    // Half a header or half a table: refused as a whole or, cut at the end of a row, shorter.
                    Assert.True(found.Kernels.Length < 6 || found.Defects.Length > 0);
                    Assert.All(found.Defects, defect => Assert.Contains(path, defect, StringComparison.Ordinal));
                }
            }

            File.WriteAllBytes(path, whole);
        }
    }

    [Fact]
    public void Rows_with_one_key_are_chosen_by_precision_and_each_that_is_gone_gives_way_to_the_next()
    {
        using var aiter = new SimulatedAiter();
        var shape = new AiterPagedShape { Query = AiterDType.Bf16, Cache = AiterDType.Fp8, Heads = 8, KvHeads = 1, HeadDim = 128, BlockSize = 16, PoolBytes = 1 };
        AiterKernelSet kernels = aiter.Find().Kernels("gfx942");
        Assert.Equal(["_pa8_fp8_uhp", "_pa8_fp8_hp", "_pa8_fp8"], AiterPagedDecode.Candidates(kernels, shape).Select(row => row.Object.Symbol));
        Assert.Equal(["_pa8", "_pa8_mtp"], AiterPagedDecode.Candidates(kernels, shape with { Cache = AiterDType.Bf16 }).Select(row => row.Object.Symbol));
        Assert.Equal(["_pa8_mtp"], AiterPagedDecode.Candidates(kernels, shape with { Cache = AiterDType.Bf16, MaxQueryLength = 2 }).Select(row => row.Object.Symbol));
        Assert.Empty(AiterPagedDecode.Candidates(kernels, shape with { BlockSize = 32 }));
    }

    [Theory]
    [InlineData("gfx942", 65536)]
    [InlineData("gfx950", 163840)]
    public void A_real_installation_is_understood_to_its_last_row(string target, int ldsLimit)
    {
        var search = AiterSearch.FromEnvironment(null);
        Assert.SkipWhen(search.NamedPath is null, $"{AiterSearch.PathVariable} names no AITER checkout.");
        AiterLocation location = AiterInstallation.Locate(search);
        Assert.True(location.Installation is not null, location.ToString());
        Assert.SkipUnless(location.Installation.Targets.Contains(target), $"{location.Installation} has nothing for {target}.");
        AiterCapabilities found = AiterCapabilities.Of(location.Installation, target, AiterChip.Mi300, ldsLimit);
        TestContext.Current.TestOutputHelper?.WriteLine(found.ToString());
        Assert.Empty(found.Defects);
        // Reasons of this library's own end there; those with a path tell of a file that is not what it should be.
        Assert.All(found.Kernels, kernel => Assert.DoesNotContain(location.Installation.HsaFolder, kernel.Refusal, StringComparison.Ordinal));
        Assert.Contains(found.Kernels, kernel => kernel.IsUsable);
    }

    [Fact]
    public void Kernels_for_another_architecture_are_none_with_the_reason()
    {
        using var aiter = new SimulatedAiter();
        AiterKernelSet kernels = aiter.Find().Kernels("gfx950");
        Assert.True(kernels.IsEmpty);
        Assert.Contains("has none for gfx950", Assert.Single(kernels.Defects), StringComparison.Ordinal);
        Assert.Contains("with kernels for gfx942", AiterCapabilities.Of(aiter.Find(), "gfx950", AiterChip.Mi300, 163840).ToString(), StringComparison.Ordinal);
    }
}
