using System.Text;
using Rocm.Inference.Native.Aiter;

namespace Rocm.Inference.Native.Tests.Aiter;

public sealed class AiterManifestTests
{
    private const string Paged =
        """
        qType,kvType,Gqa,Mtp,Msk,Hp,blkSz,knl_name,co_name,ps,qTile,quant_type
        bf16,bf16,8,0,0,0,16,_ZN5aiter1aE,a.co,0,0,0
        bf16,fp8,0,0,1,1,256,_ZN5aiter1bE,sub/b.co,1,16,6
        """;

    [Fact]
    public void A_manifest_is_read_with_its_mark_comments_and_blanks()
    {
        string text = "\ufeff// kernels\n" + Paged.Replace("a.co,0,0,0", " a.co , 0,0,0 // fast", StringComparison.Ordinal) + "\n# end\n/* old:\nbf16,x\n*/\nfp16,fp16,16,0,0,0,16,_c,c.co,0,0,0 ; note\n";
        AiterManifest? manifest = AiterManifest.Parse(Encoding.UTF8.GetBytes(text), out AiterManifestError? error);
        Assert.Null(error);
        Assert.Equal(["_ZN5aiter1aE", "_ZN5aiter1bE", "_c"], manifest!.Rows.Select(row => row.Object.Symbol));
        Assert.Equal(new AiterObject("_ZN5aiter1aE", "a.co", 3), manifest.Rows[0].Object);
        AiterPagedRow? row = AiterPagedRow.Read(manifest.Rows[1], out string defect);
        Assert.Empty(defect);
        Assert.Equal((AiterDType.Bf16, AiterDType.Fp8, 256, true, 16, 6, true), (row!.Query, row.Cache, row.BlockSize, row.Persistent, row.QueryTile, row.QuantType, row.Causal));
    }

    [Fact]
    public void A_column_that_is_not_there_reads_as_zero()
    {
        AiterManifest? manifest = AiterManifest.Parse("qType,kvType,Gqa,blkSz,knl_name,co_name\nbf16,bf16,8,16,_a,a.co"u8, out _);
        AiterPagedRow? row = AiterPagedRow.Read(Assert.Single(manifest!.Rows), out _);
        Assert.Equal((0, 0, false, 0), (row!.Mtp, row.Precision, row.Persistent, row.QuantType));
    }

    [Theory]
    [InlineData("bf16,bf16,8,0,0,0,16,_a,a.co,0,0,0,3", "it asks for window = 3, which this library does not know")]
    [InlineData("bf16,fp4,8,0,0,0,16,_a,a.co,0,0,0,0", "kvType is no known type but 'fp4'")]
    [InlineData("bf16,bf16,-8,0,0,0,16,_a,a.co,0,0,0,0", "Gqa is no number but '-8'")]
    [InlineData("bf16,bf16,8,0,7,0,16,_a,a.co,0,0,0,0", "Msk, ps, Hp or blkSz is out of its range")]
    public void A_row_that_means_something_unknown_is_left_out_with_the_reason(string row, string expected)
    {
        string header = Paged.Split('\n')[0].Trim() + ",window\n";
        AiterManifest? manifest = AiterManifest.Parse(Encoding.UTF8.GetBytes(header + row), out AiterManifestError? error);
        Assert.Null(error);
        Assert.Null(AiterPagedRow.Read(Assert.Single(manifest!.Rows), out string defect));
        Assert.Equal(expected, defect);
    }

    [Theory]
    [InlineData("", AiterManifestFault.BadHeader, 0)]
    [InlineData("knl_name,file\n", AiterManifestFault.BadHeader, 1)]
    [InlineData("knl_name,co_name,knl_name\n", AiterManifestFault.BadHeader, 1)]
    [InlineData("knl_name,co_name\n_a,a.co\n_b\n", AiterManifestFault.BadRow, 3)]
    [InlineData("knl_name,co_name\n_a,a.co,1\n", AiterManifestFault.BadRow, 2)]
    [InlineData("knl_name,co_name\n/* _a,a.co", AiterManifestFault.BadRow, 2)]
    [InlineData("knl_name,co_name\n_a b,a.co\n", AiterManifestFault.BadName, 2)]
    [InlineData("knl_name,co_name\n_a,../../a.co\n", AiterManifestFault.BadName, 2)]
    [InlineData("knl_name,co_name\n_a,/etc/a.co\n", AiterManifestFault.BadName, 2)]
    [InlineData("knl_name,co_name\n_a,a\0.co\n", AiterManifestFault.NotText, 2)]
    public void A_malformed_manifest_is_refused_as_a_whole(string text, object fault, int line)
    {
        Assert.Null(AiterManifest.Parse(Encoding.UTF8.GetBytes(text), out AiterManifestError? error));
        Assert.Equal(((AiterManifestFault)fault, line), (error!.Fault, error.Line));
        Assert.NotEmpty(error.Text);
    }

    [Fact]
    public void Manifests_beyond_every_bound_are_refused()
    {
        Assert.Null(AiterManifest.Parse(new byte[AiterManifest.MaxBytes + 1], out AiterManifestError? error));
        Assert.Equal(AiterManifestFault.TooLarge, error!.Fault);
        Assert.Null(AiterManifest.Parse(Encoding.UTF8.GetBytes("knl_name,co_name\n" + string.Concat(Enumerable.Repeat("_a,a.co\n", AiterManifest.MaxRows + 1))), out error));
        Assert.Equal(AiterManifestFault.TooLarge, error!.Fault);
        Assert.Null(AiterManifest.Parse(Encoding.UTF8.GetBytes(string.Join(',', Enumerable.Range(0, AiterManifest.MaxColumns + 1))), out error));
        Assert.Equal(AiterManifestFault.TooLarge, error!.Fault);
        Assert.Null(AiterManifest.Parse([0xff, 0xfe, 0x41], out error));
        Assert.Equal(AiterManifestFault.NotText, error!.Fault);
    }

    [Fact]
    public void Damaged_manifests_are_read_or_refused_but_never_throw()
    {
        int seed = Environment.TickCount;
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        var random = new Random(seed);
        byte[] whole = Encoding.UTF8.GetBytes(Paged);
        int refused = 0;
        for (int round = 0; round < 20_000; round++)
        {
            byte[] bytes = whole[..random.Next(whole.Length + 1)];
            for (int flips = random.Next(6); flips > 0 && bytes.Length > 0; flips--)
                bytes[random.Next(bytes.Length)] = random.Next(3) == 0 ? (byte)random.Next(256) : ",\n/*#;0bf.\0 "u8[random.Next(11)];
            AiterManifest? manifest = AiterManifest.Parse(bytes, out AiterManifestError? error);
            Assert.True(manifest is null != error is null);
            if (manifest is null) refused++;
            foreach (AiterManifestRow row in manifest?.Rows ?? [])
            {
                Assert.True((AiterPagedRow.Read(row, out string defect) is null) == (defect.Length > 0));
                Assert.True((AiterMlaRow.Read(row, out defect) is null) == (defect.Length > 0));
                Assert.True((AiterFlashRow.Read(row, out defect) is null) == (defect.Length > 0));
                Assert.DoesNotContain("..", row.Object.File, StringComparison.Ordinal);
            }
        }

        Assert.InRange(refused, 1, 19_999);
    }
}
