namespace Rocm.Inference.Native.Aiter;

/// <summary>The folders of kernels that this library launches from.</summary>
internal enum AiterFamily
{
    PagedAttention,
    Mla,
    FlashForward,

    /// <summary>Products of fp8 matrices with scales of blocks; older releases have none.</summary>
    ScaledGemm,

    /// <summary>Gated experts with SiLU, fp8 with scales of blocks; older releases have none, or in other folders.</summary>
    FusedExperts,
}

internal static class AiterFamilies
{
    /// <summary>Those of attention, which every installation has.</summary>
    internal static ReadOnlySpan<AiterFamily> All => [AiterFamily.PagedAttention, AiterFamily.Mla, AiterFamily.FlashForward];

    /// <summary>Folder under hsa/&lt;target&gt;.</summary>
    internal static string FolderOf(AiterFamily family) => family switch
    {
        AiterFamily.PagedAttention => "pa",
        AiterFamily.Mla => "mla",
        AiterFamily.ScaledGemm => "fp8gemm_blockscale",
        AiterFamily.FusedExperts => Path.Combine("fmoe", "silu"),
        _ => "fmha_v3_fwd",
    };

    /// <summary>The file in the folder that lists the kernels.</summary>
    internal static string ManifestOf(AiterFamily family) => family switch
    {
        AiterFamily.PagedAttention => "pa_asm.csv",
        AiterFamily.Mla => "mla_asm.csv",
        AiterFamily.ScaledGemm => "fp8gemm_bf16_blockscale.csv",
        AiterFamily.FusedExperts => "fmoe_bf16_blockscaleFp8_g1u1_silu.csv",
        _ => "fmha_fwd.csv",
    };
}
