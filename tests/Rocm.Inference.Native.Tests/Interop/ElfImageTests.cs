using Rocm.Inference.Native.Interop;
using Rocm.Inference.Native.Tests.Hip;

namespace Rocm.Inference.Native.Tests.Interop;

public sealed class ElfImageTests(FakeHipLibraries libraries) : IClassFixture<FakeHipLibraries>
{
    [Fact]
    public void A_compiled_library_is_sound()
    {
        Assert.Equal(ElfVerdict.Sound, ElfImage.Check(libraries.Build("sound", "lib.so"), out string defect));
        Assert.Empty(defect);
    }

    [Fact]
    public void A_library_cut_anywhere_is_noticed()
    {
        byte[] whole = File.ReadAllBytes(libraries.Build("cut", "lib.so"));
        string path = Path.Combine(libraries.Root, "cut.so");
        for (int length = 0; length < whole.Length; length += length < 1024 ? 16 : 251)
        {
            File.WriteAllBytes(path, whole[..length]);
            Assert.True(ElfImage.Check(path, out string defect) != ElfVerdict.Sound, $"not noticed at {length} of {whole.Length}");
            Assert.NotEmpty(defect);
        }
    }

    [Theory]
    [InlineData(4, 1, ElfVerdict.Foreign, "is built for another machine (32-bit")]
    [InlineData(18, 40, ElfVerdict.Foreign, "is built for another machine (64-bit ARM)")]
    [InlineData(16, 2, ElfVerdict.Damaged, "is an ELF file but not a shared library")]
    [InlineData(0, 0, ElfVerdict.NotElf, "is not an ELF file")]
    [InlineData(54, 1, ElfVerdict.Damaged, "has a damaged ELF header")]
    [InlineData(37, 255, ElfVerdict.Damaged, "is cut short or damaged: program headers")]
    [InlineData(47, 255, ElfVerdict.Damaged, "is cut short or damaged: section headers")]
    public void A_header_that_does_not_fit_is_explained(int offset, byte value, object verdict, string expected)
    {
        byte[] image = File.ReadAllBytes(libraries.Build("header", "lib.so"));
        image[offset] = value;
        string path = Path.Combine(libraries.Root, "header.so");
        File.WriteAllBytes(path, image);

        Assert.Equal((ElfVerdict)verdict, ElfImage.Check(path, out string defect));
        Assert.StartsWith(expected, defect, StringComparison.Ordinal);
    }

    [Fact]
    public void Garbage_of_any_kind_is_refused_without_an_exception()
    {
        int seed = Random.Shared.Next();
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        var random = new Random(seed);
        byte[] whole = File.ReadAllBytes(libraries.Build("garbage", "lib.so"));
        string path = Path.Combine(libraries.Root, "garbage.so");
        for (int round = 0; round < 300; round++)
        {
            byte[] image = whole.ToArray();
            for (int i = 0; i < 8; i++) image[random.Next(1024)] = (byte)random.Next(256);
            File.WriteAllBytes(path, image);
            ElfVerdict verdict = ElfImage.Check(path, out string defect);
            Assert.Equal(verdict == ElfVerdict.Sound, defect.Length == 0);
        }
    }

    [Fact]
    public void What_is_no_regular_file_is_refused_without_waiting()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Needs Linux device nodes.");
        Assert.Equal(ElfVerdict.NotElf, ElfImage.Check("/dev/zero", out string defect));
        Assert.Equal("is 0 bytes long and cannot be a shared library", defect);
        Assert.Equal(ElfVerdict.NotElf, ElfImage.Check("/nowhere/lib.so", out defect));
        Assert.StartsWith("cannot be read", defect, StringComparison.Ordinal);
    }
}
