using Rocm.Inference.Native.Aiter;

namespace Rocm.Inference.Native.Tests.Aiter;

public sealed class CodeObjectMetadataTests
{
    private const string Symbol = "_ZN5aiter27pa_bf16_noquant_gqa8_1tg_4wE";

    private static readonly AiterArgumentLayout[] _paged = [AiterArgumentLayout.PagedWithQueryOffsets, AiterArgumentLayout.LegacyPagedWithQueryOffsets];

    [Fact]
    public void A_kernel_is_read_with_its_arguments_but_for_padding()
    {
        CodeObjectMetadata? metadata = CodeObjectMetadata.Read(AiterMetadata.CodeObject(Symbol, AiterMetadata.PagedArguments, 272), out string defect);
        Assert.Empty(defect);
        Assert.Equal(("gfx942", 6), (metadata!.Identity.Target, metadata.Identity.Version));
        Assert.Equal(new CodeObjectKernel(Symbol, 272, 272, AiterMetadata.PagedArguments, 65536, 0, 64, 512, 256), Assert.Single(metadata.Kernels));
    }

    [Fact]
    public void Lists_decide_the_layout()
    {
        Assert.Equal(AiterArgumentLayout.PagedWithQueryOffsets, AiterArgumentLists.LayoutOf(AiterMetadata.PagedArguments));
        Assert.Equal(AiterArgumentLayout.LegacyPagedWithQueryOffsets, AiterArgumentLists.LayoutOf(AiterMetadata.LegacyPagedArguments));
        Assert.Equal(AiterArgumentLayout.Mla, AiterArgumentLists.LayoutOf(AiterMetadata.MlaArguments));
        Assert.Equal(AiterArgumentLayout.Mla, AiterArgumentLists.LayoutOf(AiterMetadata.MlaArguments + " d0:QT/8"));
        Assert.Null(AiterArgumentLists.LayoutOf(AiterMetadata.PagedArguments.Replace("e0:mtp/4", "e0:mtp/8", StringComparison.Ordinal)));
        Assert.Null(AiterArgumentLists.LayoutOf(AiterMetadata.PagedArguments + " 110:new/8"));
        Assert.Null(AiterArgumentLists.LayoutOf(""));
    }

    [Fact]
    public void A_kernel_that_differs_from_what_is_expected_is_refused_with_the_difference()
    {
        Assert.NotNull(Verify(AiterMetadata.CodeObject(Symbol, AiterMetadata.PagedArguments, 272), out string defect));
        Assert.Empty(defect);
        foreach ((byte[] image, string expected) in ((byte[], string)[])
        [
            (AiterMetadata.CodeObject(Symbol, AiterMetadata.PagedArguments, 272, machine: 0x4f), "is for gfx950, not gfx942"),
            (AiterMetadata.CodeObject("other", AiterMetadata.PagedArguments, 272), $"has the kernel other where the manifest names {Symbol}"),
            (AiterMetadata.CodeObject(Symbol, AiterMetadata.PagedArguments, 272, kernels: 2), "has 2 kernels where one is expected"),
            (AiterMetadata.CodeObject(Symbol, AiterMetadata.PagedArguments + " 110:new/8", 288), "takes arguments that this library does not know"),
            (AiterMetadata.CodeObject(Symbol, AiterMetadata.MlaArguments, 208), "takes arguments laid out as Mla, which do not serve this operation"),
            (AiterMetadata.CodeObject(Symbol, AiterMetadata.PagedArguments, 272, threads: 128), "takes blocks of 128 threads at most; 256 are started"),
            (AiterMetadata.CodeObject(Symbol, AiterMetadata.PagedArguments, 272, lds: 163840), "needs 163840 bytes of local memory; a block may have 65536 on this device"),
            (AiterMetadata.CodeObject(Symbol, AiterMetadata.PagedArguments, 272, wave: 32), "wants waves of 32 lanes"),
            (AiterMetadata.CodeObject(Symbol, AiterMetadata.PagedArguments, 272, scratch: 64), "with 64 bytes of scratch"),
            (AiterMetadata.CodeObject(Symbol, AiterMetadata.PagedArguments, 4096), "declares arguments up to 272 in 4096 bytes"),
            ([], "is no ELF code object for AMD GPUs"),
        ])
        {
            Assert.Null(Verify(image, out defect));
            Assert.Contains(expected, defect, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_code_object_cut_anywhere_is_refused()
    {
        byte[] whole = AiterMetadata.CodeObject(Symbol, AiterMetadata.PagedArguments, 272);
        for (int length = 0; length < whole.Length - 3; length++)
        {
            Assert.Null(CodeObjectMetadata.Read(whole.AsSpan(0, length), out string defect));
            Assert.NotEmpty(defect);
        }
    }

    [Fact]
    public void Damaged_code_objects_are_read_or_refused_but_never_throw()
    {
        int seed = Environment.TickCount;
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        var random = new Random(seed);
        byte[] whole = AiterMetadata.CodeObject(Symbol, AiterMetadata.PagedArguments, 272);
        int refused = 0;
        for (int round = 0; round < 20_000; round++)
        {
            byte[] image = [.. whole];
            for (int flips = 1 + random.Next(5); flips > 0; flips--) image[random.Next(image.Length)] = random.Next(2) == 0 ? (byte)random.Next(256) : (byte)(0xc0 + random.Next(64));
            if (Verify(image, out string defect) is null)
            {
                refused++;
                Assert.NotEmpty(defect);
            }
        }

        Assert.InRange(refused, 1, 19_999);
    }

    private static AiterVerifiedKernel? Verify(byte[] image, out string defect) =>
        AiterKernelCheck.Verify(image, "gfx942", Symbol, _paged, blockThreads: 256, ldsLimit: 65536, out defect);
}
