namespace Rocm.Inference.Native.Aiter;

/// <summary>
/// The argument lists that this library can fill, as the metadata of the code objects declares them: the list decides the layout, never the version of the
/// package, because kernels have changed theirs under the same name (PA in 0.1.17). A list that is not here is refused.
/// </summary>
internal static class AiterArgumentLists
{
    // Paged attention: the parts that releases have in common.
    private const string Paged =
        "0:O/8 10:Q/8 20:K/8 30:V/8 40:BT/8 50:CL/8 60:KQ/8 70:VQ/8 80:sclg/4 90:mblk/4 a0:batch/4 b0:Qs/4 c0:Bs/4 d0:KVs/4";

    private const string PagedWithGqa = Paged + " e0:mtp/4 f0:GQA/4";
    private const string LegacyPagedWithGqa = Paged + " e0:GQA/4";

    private const string PersistentPaged =
        "0:O/8 10:Q/8 20:K/8 30:V/8 40:KVIndices/8 50:CL/8 60:KQ/8 70:VQ/8 80:sclg/4 90:batch/4 a0:Qs/4 b0:Bs/4 c0:KVs/4 " +
        "d0:mtp/4 e0:GQA/4 f0:QOPtr/8 100:KVPtr/8 110:WorkPtr/8 120:WorkInfo/8 130:SplitO/8 140:SplitLSE/8";

    // MLA: many objects carry names that were copied from the paged family; their offsets mean the same.
    private const string MlaShort =
        "0:O/8 10:Q/8 20:K/8 30:V/8 40:BT/8 50:CL/8 60:KQ/8 70:sclg/4 80:mblk/4 90:batch/4 a0:Qs/4 b0:Bs/4 c0:Cs/4";

    private const string MlaScaled = MlaShort + " d0:QT/8 e0:ST/8 f0:RP/8 100:DQ/8 110:DK/8";
    private const string MlaParallel = " 140:g_kv_indptr/8 150:cp_world_size/4 160:cp_rank/4";

    private const string MlaNamed =
        "0:R/8 10:LSE/8 20:Q/8 30:CKV/8 40:LTP/8 50:LTD/8 60:LTL/8 70:scalar/4 80:MQA/4 90:kv_split/4 a0:Q_Bs/4 b0:Bs/4 " +
        "c0:log2_plen/4 d0:QTP/8 e0:STP/8 f0:RP/8";

    private const string MlaNamedInFull =
        "0:ptr_R/8 10:ptr_LSE/8 20:ptr_Q/8 30:ptr_KV/8 40:ptr_LTP/8 50:ptr_LTD/8 60:ptr_LTL/8 70:scalar/4 80:s_MQA/4 " +
        "90:s_kv_split/4 a0:s_Q_Bs/4 b0:s_Bs/4 c0:s_log2_plen/4 d0:ptr_QTP/8 e0:ptr_STP/8 f0:ptr_RP/8 100:ptr_DQ/8 110:ptr_DK/8";

    private const string Flash =
        "0:R/8 10:Q/8 20:K/8 30:V/8 40:LSE/8 50:scalar/4 60:seq_len/4 70:Seqs/4 80:Ts/4 90:Hs/4 a0:Bs/4 b0:gqa/4 c0:k_Seqs/4 " +
        "d0:k_Hs/4 e0:k_Bs/4 f0:msk_opt/4 100:lse/4 110:kv_seq_len/4 120:qk_head_dim/4 130:v_head_dim/4 140:q_head_num/4 " +
        "150:v_Seqs/4 160:v_Hs/4 170:v_Bs/4 180:r_Seqs/4 190:r_Hs/4 1a0:r_Bs/4 1b0:ptr_qseq/8 1c0:ptr_kseq/8 1d0:lse_Hs/4 " +
        "1e0:ptr_qseq_padding/8 1f0:ptr_kseq_padding/8";

    private const string FlashDescale =
        "200:ptr_descale_q/8 210:ptr_descale_k/8 220:ptr_descale_v/8 230:dq_Bs/4 240:dq_Hs/4 250:dk_Bs/4 260:dk_Hs/4 " +
        "270:dv_Bs/4 280:dv_Hs/4";

    private const string FlashOfGfx950 =
        "0:ptr_o/8 10:ptr_q/8 20:ptr_k/8 30:ptr_v/8 40:ptr_lse/8 50:scalar/4 60:s_seq_len/4 70:s_Seqs/4 80:s_Ts/4 90:s_Hs/4 " +
        "a0:s_Bs/4 b0:s_gqa/4 c0:s_k_Seqs/4 d0:s_k_Hs/4 e0:s_k_Bs/4 f0:s_opt/4 100:s_lse/4 110:s_kv_seq_len/4 " +
        "120:s_qk_head_dim/4 130:s_v_head_dim/4 140:s_q_head_num/4 150:s_v_Seqs/4 160:s_v_Hs/4 170:s_v_Bs/4 180:s_o_Seqs/4 " +
        "190:s_o_Hs/4 1a0:s_o_Bs/4 1b0:ptr_qseq/8 1c0:ptr_kseq/8 1d0:s_lse_Hs/4 1e0:ptr_qseq_padding/8 1f0:ptr_kseq_padding/8 " +
        "200:ptr_q_descale/8 210:ptr_k_descale/8 220:ptr_v_descale/8 230:s_descale_q_Bs/4 240:s_descale_q_Hs/4 " +
        "250:s_descale_k_Bs/4 260:s_descale_k_Hs/4 270:s_descale_v_Bs/4 280:s_descale_v_Hs/4";

    private const string ScaledGemm =
        "0:C/8 10:A/8 20:B/8 30:SA/8 40:SB/8 50:BIAS/8 60:M/4 70:Ndim/4 80:K/4 90:PA/4 a0:PB/4 b0:PC/4 c0:KS/4 d0:scale_m/4 e0:scale_n/4 f0:scale_k/4";

    private const string FusedExperts =
        "0:O/8 10:X/8 20:G/8 30:U/8 40:D/8 50:XQ/8 60:GQ/8 70:DQ/8 80:SMQ/8 90:STP/8 a0:SW/8 b0:SEP/8 c0:dim/4 d0:hdim/4 e0:batch/4 f0:eprt/4 100:Xs/4 " +
        "110:GUs/4 120:Ds/4 130:Os/4 140:eGUs/4 150:eDs/4 160:eGUQs/4 170:eDQs/4 180:eSMQs/4 190:topk/4";

    /// <summary>The layout of a list.</summary>
    /// <returns>Null for a list that is not known.</returns>
    internal static AiterArgumentLayout? LayoutOf(string list) => list switch
    {
        Paged => AiterArgumentLayout.Paged,
        PagedWithGqa => AiterArgumentLayout.PagedWithGqa,
        PagedWithGqa + " 100:QTP/8" => AiterArgumentLayout.PagedWithQueryOffsets,
        LegacyPagedWithGqa => AiterArgumentLayout.LegacyPagedWithGqa,
        LegacyPagedWithGqa + " f0:QTP/8" => AiterArgumentLayout.LegacyPagedWithQueryOffsets,
        PersistentPaged => AiterArgumentLayout.PersistentPaged,
        PersistentPaged + " 150:stride_Scale_blk/4 160:stride_Scale_page/4" => AiterArgumentLayout.PersistentPagedWithScaleStrides,
        MlaShort or MlaShort + " d0:QT/8" or MlaShort + " d0:QT/8 e0:ST/8" or MlaShort + " d0:QT/8 e0:ST/8 f0:RP/8" or
            MlaScaled or MlaScaled + " 120:out_16_nosplit/4 130:final_lse/8" or MlaScaled + " 120:out_16_nosplit/8 130:lse_p_store/8" or
            MlaScaled + " 120:out_16_nosplit/4 130:lse_p_store/8" + MlaParallel or MlaScaled + " 120:out_16_nosplit/8 130:lse_p_store/8" + MlaParallel or
            MlaNamed + " 100:DQ/8 110:DK/8 120:out16/4" or MlaNamed + " 100:DQ/8 110:DK/8 120:out16/4 130:LSEP/8" or
            MlaNamed + " 100:DSQ/8 110:DSK/8 120:out16/4" or MlaNamedInFull or "0:_kernarg_raw/320" => AiterArgumentLayout.Mla,
        Flash => AiterArgumentLayout.Flash,
        Flash + " " + FlashDescale or FlashOfGfx950 => AiterArgumentLayout.FlashWithDescale,
        ScaledGemm => AiterArgumentLayout.ScaledGemm,
        FusedExperts + " 1a0:total_tgs/4 1b0:ps_deno/4" or FusedExperts + " 1a0:_s_total_tgs/4 1b0:_s_deno_tgs/4" => AiterArgumentLayout.FusedExperts,
        _ => null,
    };
}
