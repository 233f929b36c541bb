using Rocm.Inference.Native.Aiter;

namespace Rocm.Inference.Native.Tests.Aiter;

/// <summary>A folder with the layout of AITER, whose code objects have metadata and no code.</summary>
internal sealed class SimulatedAiter : IDisposable
{
    internal const string PagedManifest =
        "qType,kvType,Gqa,Mtp,Msk,Hp,blkSz,knl_name,co_name,ps,qTile,quant_type\n" +
        "bf16,bf16,8,0,0,0,16,_pa8,pa8.co,0,0,0\nbf16,bf16,8,1,1,0,16,_pa8_mtp,pa8_mtp.co,0,0,0\n" +
        "bf16,fp8,8,0,0,0,16,_pa8_fp8,pa8_fp8.co,0,0,0\nbf16,fp8,8,0,0,2,16,_pa8_fp8_uhp,pa8_fp8_uhp.co,0,0,0\nbf16,fp8,8,0,0,1,16,_pa8_fp8_hp,pa8_fp8_hp.co,0,0,0\n";

    internal const string MlaSymbol = "_ZN5aiter39mla_dec_stage1_bf16_a16w16_subQ16_mqa16E";

    internal SimulatedAiter(string layout = "")
    {
        Root = Directory.CreateTempSubdirectory("rocm-inference-aiter-").FullName;
        Hsa = Path.Combine(Root, layout, "hsa");
        Write("pa", "pa_asm.csv", PagedManifest);
        foreach (string name in (string[])["_pa8", "_pa8_mtp", "_pa8_fp8", "_pa8_fp8_hp", "_pa8_fp8_uhp"])
            Write("pa", name[1..] + ".co", AiterMetadata.CodeObject(name, AiterMetadata.PagedArguments, 272));
        Write("mla", "mla_asm.csv", $"qType,kvType,Gqa,ps,qSeqLen,prefill,causal,lse,knl_name,co_name\nbf16,bf16,16,0,1,0,1,0,{MlaSymbol},mla16.co\n");
        Write("mla", "mla16.co", AiterMetadata.CodeObject(MlaSymbol, AiterMetadata.MlaArguments, 208));
        Write("fmha_v3_fwd", "fmha_fwd.csv", "dtype,hdim_q,hdim_v,mask,mode,bf16_cvt,ts_qo,ts_kv,knl_name,co_name\n");
    }

    internal string Root { get; }

    internal string Hsa { get; }

    internal string Folder(string family) => Path.Combine(Hsa, "gfx942", family);

    internal void Write(string family, string name, string text) => Write(family, name, System.Text.Encoding.UTF8.GetBytes(text));

    internal void Write(string family, string name, byte[] bytes)
    {
        Directory.CreateDirectory(Folder(family));
        File.WriteAllBytes(Path.Combine(Folder(family), name), bytes);
    }

    internal AiterInstallation Find()
    {
        AiterLocation location = AiterInstallation.Locate(new AiterSearch { ExplicitPath = Root });
        Assert.True(location.Installation is not null, location.ToString());
        return location.Installation;
    }

    public void Dispose() => Directory.Delete(Root, recursive: true);
}
