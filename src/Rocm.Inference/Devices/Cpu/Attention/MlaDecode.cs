namespace Rocm.Inference.Devices.Cpu.Attention;

/// <summary>
/// Absorbed latent attention (DeepSeek-V2): multi-query attention whose one KV head has the rows [latent, rotary key] as keys and the front of the same
/// rows as values. It runs as attention over a paged cache whose K and V share their memory, so that the row of a key is still in a cache
/// when it is read again as a value.
/// </summary>
internal sealed unsafe partial class CpuAttentionKernels<TSimd, TVector>
{
    public void MlaDecode(DeviceContext context, in MlaDecodeArgs args)
    {
        TensorView latents = args.Cache.Key;
        if (args.Cache.Layout != KvLayoutKind.MlaLatent || latents.IsAbsent || latents.Rank != 3)
            throw new ArgumentException($"Expected an MlaLatent cache of [blocks, block size, latent and rotary part], found {args.Cache.Layout} {latents}.", nameof(args));
        long rank = args.Query.IsAbsent || args.Query.Rank != 3 ? 0 : args.Query.Dim(2), ropeDim = args.QueryRope.IsAbsent ? 0 : args.QueryRope.Dim(2);
        if (rank == 0 || rank + ropeDim != latents.Dim(2))
            throw new ArgumentException($"Queries {args.Query} and {args.QueryRope} do not fit cached rows {latents}.", nameof(args));

        TensorView rows = latents.SplitLast(latents.Dim(2));
        var paged = new PagedAttentionArgs
        {
            Spec = args.Spec,
            Query = args.Query,
            Cache = args.Cache with { Layout = KvLayoutKind.Nhd, Key = rows, Value = rows.Slice(3, 0, rank), ValueScales = args.Cache.KeyScales },
            CuSeqlensQ = args.CuSeqlensQ,
            SeqLens = args.SeqLens,
            BlockTable = args.BlockTable,
            NumRows = args.NumRows,
            MaxQueryLen = args.MaxQueryLen,
            MaxSeqLen = args.MaxSeqLen,
            Split = args.Split,
            Output = args.Output,
        };
        AttentionJob job = Describe(paged, args.QueryRope);
        if (!args.Lse.IsAbsent)
        {
            CpuOperand lse = HeadRows(args.Lse, args.Query.Dim(1), args.Query.Dim(0));
            job.Lse = lse.Address;
            job.LseStride = lse.OuterStride;
        }

        RunPaged(context, job, paged);
    }

    public long MlaDecodeScratchBytes(AttentionSpec spec, in BatchLimits limits) => UnifiedAttentionScratchBytes(
        spec with { NumKvHeads = 1, HeadDim = spec.KvLoraRank + spec.QkRopeHeadDim, VHeadDim = spec.KvLoraRank, HasSinks = false, HasAlibi = false }, limits);
}
