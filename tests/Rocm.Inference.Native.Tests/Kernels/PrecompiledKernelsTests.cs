using Rocm.Inference.Native.Kernels;
using Rocm.Inference.Native.Tests.Emulator;

namespace Rocm.Inference.Native.Tests.Kernels;

public sealed class PrecompiledKernelsTests
{
    private static readonly string Folder = Path.Combine(GfxEmulator.Root, "..", "..", "..", "src", "Rocm.Inference.Native", "Kernels");

    [Fact]
    public void The_script_compiles_what_its_list_names_and_the_library_finds_it_by_unit()
    {
        Assert.SkipWhen(GfxEmulator.Find("clang++-19") is null, "No clang++-19 on PATH (Debian: clang-19, lld-19) to compile kernels for AMD GPUs with.");
        DirectoryInfo work = Directory.CreateTempSubdirectory("rocm-inference-kernels-");
        try
        {
            string list = Path.Combine(work.FullName, "list.txt"), first = Path.Combine(work.FullName, "1.tar.gz"), second = Path.Combine(work.FullName, "2.tar.gz");
            File.WriteAllText(list, "# a comment\n\ndense/rms_norm.hip T=BF16\ndense/rms_norm.hip T=F16\n");
            foreach (string archive in new[] { first, second }) GfxEmulator.Execute("/bin/bash", Path.Combine(Folder, "precompile.sh"), "gfx942", archive, list);
            Assert.Equal(File.ReadAllBytes(first), File.ReadAllBytes(second));

            using FileStream stream = File.OpenRead(first);
            PrecompiledKernels kernels = PrecompiledKernels.Read(stream);
            Assert.Equal(2, kernels.Count);
            byte[] code = kernels.Find(new KernelUnit("dense/rms_norm.hip", "T=BF16"))!;
            Assert.Equal("gfx942", Native.Hip.HipCodeObject.Read(code).Target);
            Assert.Null(kernels.Find(new KernelUnit("dense/rms_norm.hip", "T=F32")));
        }
        finally
        {
            work.Delete(recursive: true);
        }
    }

    [Fact]
    public void Every_unit_of_the_lists_is_a_source_of_the_library()
    {
        string[] lists = ["precompiled.txt", "precompiled.cdna.txt"];
        string[] units = [.. lists.SelectMany(list => File.ReadLines(Path.Combine(Folder, list))).Where(line => line.Length > 0 && line[0] != '#')];
        Assert.NotEmpty(units);
        Assert.All(units, unit => Assert.Contains(unit.Split(' ')[0], KernelSources.Files));
        Assert.Equal(units.Length, units.Distinct().Count());
    }

    [Fact]
    public void A_build_without_compiled_kernels_has_none_for_any_target()
    {
        Assert.Equal(0, PrecompiledKernels.Of("gfx000").Count);
        Assert.All(PrecompiledKernels.Targets, target => Assert.NotEqual(0, PrecompiledKernels.Of(target).Count));
    }
}
