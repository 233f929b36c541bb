namespace Rocm.Inference.Native.Aiter;

/// <summary>
/// What the metadata of an MLA kernel does not tell and a caller must know (AITER's binary interface, sections 5.2 to 5.5). A kernel that is not here is
/// not launched.
/// </summary>
/// <param name="QueryTile">Rows (heads times query tokens) that a block works on.</param>
/// <param name="KvTile">Tokens of a tile: tile t goes to split t modulo the number of splits.</param>
/// <param name="AlwaysPartial">With one split, too, the output is a float partial; other kernels then write the bf16 result.</param>
internal sealed record AiterMlaTraits(int QueryTile, int KvTile, bool AlwaysPartial = false)
{
    /// <summary>The traits of a kernel that splits contexts, by architecture and symbol.</summary>
    /// <returns>Null for one that is not known.</returns>
    internal static AiterMlaTraits? Of(string target, string symbol) => symbol switch
    {
        "_ZN5aiter39mla_dec_stage1_bf16_a16w16_subQ16_mqa16E" => new(16, 64, AlwaysPartial: true),
        "_ZN5aiter36mla_a16w16_qh8_qseqlen1_gqaratio8_v3E" => new(8, 64, AlwaysPartial: true),
        "_ZN5aiter40mla_a16w16_qh8_qseqlen2_gqaratio8_causalE" => new(16, 64),
        "_ZN5aiter39mla_a16w16_qh16_m16x4_n16x1_coex0_mask1E" => new(128, 16),
        "_ZN5aiter39mla_a16w16_qh16_m32x4_n16x1_coex0_mask1E" => new(128, 16),
        "_ZN5aiter39mla_a16w16_qh16_m32x1_n16x1_coex0_mask1E" => new(64, 16),
        "_ZN5aiter39mla_a16w16_qh16_m64x1_n16x1_coex0_mask1E" => new(64, 16),
        "_ZN5aiter39mla_a16w16_qh16_m16x4_n32x1_coex0_mask1E" => new(64, 32),
        "_ZN5aiter38mla_a16w16_qh64_qseqlen1_gqaratio64_v3E" => new(64, 32),
        "_ZN5aiter41mla_dec_stage1_bf16_a16w16_subQ128_mqa128E" => new(128, 16),
        "_ZN5aiter35mla_a8w8_qh8_qseqlen1_gqaratio8_v1E" or "_ZN5aiter34mla_a8w8_qh8_qseqlen1_gqaratio8_v3E" => new(8, 64),
        "_ZN5aiter33mla_a8w8_qh16_qseqlen1_gqaratio16E" or "_ZN5aiter33mla_a8w8_qh16_qseqlen2_gqaratio16E" => new(128, 64),
        "_ZN5aiter33mla_a8w8_qh64_qseqlen4_gqaratio16E" => new(64, target == "gfx942" ? 32 : 64),
        "_ZN5aiter31mla_a8w8_qh128_m32x4_n16x2_msk1E" => new(128, 32),
        _ => null,
    };
}
