namespace Rocm.Inference.Devices.Cpu.Attention;

/// <summary>
/// Flash attention over contiguous rows (Dao, "FlashAttention-2"): a work item is a block of query rows of one KV head that walks over its keys, laying
/// out each tile of 48 keys for itself. Positions are counted from a row's first key, so that a row's result does not depend on the rows beside it.
/// </summary>
internal sealed unsafe partial class CpuAttentionKernels<TSimd, TVector>
{
    // Below this many rows of an item, laying out a tile of keys for them costs as much as the products.
    private const int MinItemRows = 32;

    public void FlashVarlen(DeviceContext context, in FlashVarlenArgs args)
    {
        AttentionJob job = DescribeVarlen(args);
        if (args.NumRows == 0) return;
        long mark = context.Mark();
        job.Rows = (AttentionRow*)context.Scratch(DType.U8, (long)args.NumRows * sizeof(AttentionRow)).Address;
        PlanVarlen(ref job, args);
        using (crew.Enter())
        {
            crew.ReserveScratch(new AttentionScratch(job).SizeBytes);
            crew.Run(&Attend<ContiguousTileReader<TSimd, TVector>>, &job, job.NumItems == 1);
        }

        context.Release(mark);
    }

    public long FlashVarlenScratchBytes(AttentionSpec spec, in BatchLimits limits, int maxNumKeys)
    {
        const int Alignment = 64;
        return ((long)limits.MaxNumRows * sizeof(AttentionRow)) + PackedBytes(spec, limits.MaxNumRows, maxNumKeys) + (2 * Alignment);
    }

    private static AttentionJob DescribeVarlen(in FlashVarlenArgs args)
    {
        if (args.Query.IsAbsent || args.Query.Rank != 3) throw new ArgumentException($"Expected F32[tokens, heads, head dim], found {args.Query}.", nameof(args));
        if (args.Value.IsAbsent || args.Value.Rank != 3) throw new ArgumentException($"Expected F32[keys, KV heads, head dim], found {args.Value}.", nameof(args));
        long tokens = args.Query.Dim(0), queryHeads = args.Query.Dim(1), dim = args.Query.Dim(2);
        long keys = args.Value.Dim(0), kvHeads = args.Value.Dim(1), valueDim = args.Value.Dim(2);
        CheckHeads(args.Query, tokens, queryHeads, dim, nameof(args.Query));
        CheckHeads(args.Key, keys, kvHeads, dim, nameof(args.Key));
        CheckHeads(args.Value, keys, kvHeads, valueDim, nameof(args.Value));
        CheckHeads(args.Output, tokens, queryHeads, valueDim, nameof(args.Output));
        if (args.QueryRope.IsAbsent != args.KeyRope.IsAbsent)
            throw new ArgumentException($"Queries and keys have a rotary part, or neither; found {args.QueryRope} and {args.KeyRope}.", nameof(args));
        if (kvHeads == 0 || queryHeads % kvHeads != 0) throw new ArgumentException($"{queryHeads} query heads cannot share {kvHeads} KV heads.", nameof(args));

        AttentionSpec spec = args.Spec;
        int ratio = (int)(queryHeads / kvHeads);
        var job = new AttentionJob
        {
            Query = CpuOperand.Of(args.Query),
            Output = CpuOperand.Of(args.Output),
            Key = OneBlock(args.Key),
            Value = OneBlock(args.Value),
            BlockTable = args.NumRows == 0 ? null : CpuOperand.Indices(args.CuSeqlensK, args.NumRows + 1L, nameof(args.CuSeqlensK)),
            BlockTableStride = 1,
            NumTableEntries = 1,
            Scale = spec.SoftmaxScale,
            SoftCap = spec.LogitsSoftCap,
            Window = spec.SlidingWindow ?? int.MaxValue,
            Causal = args.Causal,
            Sinks = HeadVector(args.Sinks, expected: false, queryHeads),
            Slopes = HeadVector(args.AlibiSlopes, spec.HasAlibi, queryHeads),
            GqaRatio = ratio,
            NumKvHeads = (int)kvHeads,
            BlockTokens = Math.Max(1, MaxItemRows / ratio),
            SegmentLen = UnifiedSegmentLen,
            NumRows = args.NumRows,
        };
        if (!args.QueryRope.IsAbsent)
        {
            long ropeDim = args.QueryRope.Dim(2);
            CheckHeads(args.QueryRope, tokens, queryHeads, ropeDim, nameof(args.QueryRope));
            CheckHeads(args.KeyRope, keys, 1, ropeDim, nameof(args.KeyRope));
            job.QueryRope = CpuOperand.Of(args.QueryRope);
            job.KeyRope = OneBlock(args.KeyRope);
            job.KeyRope.HeadBytes = 0;
        }

        if (args.Lse.IsAbsent) return job;
        CpuOperand lse = HeadRows(args.Lse, queryHeads, tokens);
        job.Lse = lse.Address;
        job.LseStride = lse.OuterStride;
        return job;
    }

    /// <summary>Contiguous rows as a cache: a row's keys are one long block, which starts at the row's first key.</summary>
    private static CacheTensor OneBlock(TensorView view) => new()
    {
        Address = (byte*)view.Address,
        NumBlocks = view.Dim(0) + 1,
        DType = DType.F32,
        ElementBytes = sizeof(float),
        BlockSize = int.MaxValue,
        TokensPerGroup = int.MaxValue,
        NumHeads = (int)view.Dim(1),
        Run = (int)view.Dim(2),
        Dim = (int)view.Dim(2),
        BlockBytes = view.Stride(0) * sizeof(float),
        TokenBytes = view.Stride(0) * sizeof(float),
        HeadBytes = view.Stride(1) * sizeof(float),
    };

    /// <summary>Makes the rows and their work items.</summary>
    private void PlanVarlen(ref AttentionJob job, in FlashVarlenArgs args)
    {
        int* queries = CpuOperand.Indices(args.CuSeqlensQ, args.NumRows + 1L, nameof(args.CuSeqlensQ));
        int* keys = job.BlockTable;
        int* queryPositions = args.QueryPositions.IsAbsent ? null : CpuOperand.Indices(args.QueryPositions, args.NumRows, nameof(args.QueryPositions));
        int* keyPositions = args.KeyPositions.IsAbsent ? null : CpuOperand.Indices(args.KeyPositions, args.NumRows, nameof(args.KeyPositions));
        long numKeys = job.Key.NumBlocks - 1;
        for (int r = 0; r < job.NumRows; r++)
        {
            int start = queries[r], count = queries[r + 1] - start, firstKey = keys[r], keyCount = keys[r + 1] - firstKey;
            if (start < 0 || count < 0 || start + (long)count > job.Query.Outer)
                throw new ArgumentException($"Row {r}: query tokens [{start}, {start + (long)count}) of {job.Query.Outer}.", nameof(args));
            if (firstKey < 0 || keyCount < 0 || firstKey + (long)keyCount > numKeys)
                throw new ArgumentException($"Row {r}: keys [{firstKey}, {firstKey + (long)keyCount}) of {numKeys}.", nameof(args));
            job.Rows[r] = new AttentionRow
            {
                QueryStart = start,
                QueryLen = count,
                ItemHeads = 1,
                FirstPosition = queryPositions == null ? keyCount - count : queryPositions[r] - (keyPositions == null ? 0 : keyPositions[r]),
                NumKeys = keyCount,
            };
        }

        // Smaller items where there are too few for all threads; a row's result is the same in any.
        job.NumItems = CountItems(ref job);
        while (job.NumItems < ItemsPerThread * (long)crew.NumThreads && job.BlockTokens > 1 && job.BlockTokens * job.GqaRatio >= 2 * MinItemRows)
        {
            job.BlockTokens /= 2;
            job.NumItems = CountItems(ref job);
        }
    }

    private static int CountItems(ref AttentionJob job)
    {
        int items = 0;
        for (int r = 0; r < job.NumRows; r++)
        {
            ref AttentionRow row = ref job.Rows[r];
            row.NumBlocks = (row.QueryLen + job.BlockTokens - 1) / job.BlockTokens;
            row.FirstItem = items;
            items = checked(items + (row.NumBlocks * job.NumKvHeads));
        }

        return items;
    }
}
