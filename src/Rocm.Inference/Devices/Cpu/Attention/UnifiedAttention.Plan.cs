namespace Rocm.Inference.Devices.Cpu.Attention;

/// <summary>The work items of a call over the paged cache.</summary>
internal sealed unsafe partial class CpuAttentionKernels<TSimd, TVector>
{
    // Partial results of split rows: rows that would need more are split into spans, or not at all.
    private const long PartialBudgetBytes = 32L << 20;

    // Bytes of a token's keys that an item's heads read together: long enough to be a stretch for memory, short enough that a tile stays in a cache.
    private const int MaxItemHeadBytes = 1024;

    private static long PagedScratchBytes(AttentionSpec spec, in BatchLimits limits, int segmentLen)
    {
        const int Alignment = 64;
        long segments = (limits.MaxSeqLen / segmentLen) + 2, rows = Math.Max(spec.GqaRatio, MaxItemRows);
        double partials = (double)limits.MaxNumRows * spec.NumKvHeads * segments * rows * PartialStride(spec.VHeadDim) * sizeof(float);
        return ((long)limits.MaxNumRows * sizeof(AttentionRow)) + (long)Math.Min(partials, PartialBudgetBytes) + (2 * Alignment);
    }

    /// <summary>Makes the work items of every row; returns the floats of partial results that split rows need.</summary>
    private long Plan(ref AttentionJob job, in PagedAttentionArgs args)
    {
        int* offsets = CpuOperand.Indices(args.CuSeqlensQ, args.NumRows + 1L, nameof(args.CuSeqlensQ));
        int* lengths = CpuOperand.Indices(args.SeqLens, args.NumRows, nameof(args.SeqLens));
        long keys = 0;
        for (int r = 0; r < job.NumRows; r++)
        {
            int start = offsets[r], count = offsets[r + 1] - start;
            if (start < 0 || count < 0 || start + (long)count > job.Query.Outer || lengths[r] < 0)
                throw new ArgumentException($"Row {r}: query tokens [{start}, {start + (long)count}) of {job.Query.Outer}, length {lengths[r]}.", nameof(args));
            bool chosen = args.Rows == AttentionRows.All || (args.Rows == AttentionRows.SingleToken) == (count == 1);
            ref AttentionRow row = ref job.Rows[r];
            row = new AttentionRow { QueryStart = start, QueryLen = count, FirstPosition = lengths[r] - count, NumKeys = lengths[r] };
            row.NumBlocks = chosen ? (count + job.BlockTokens - 1) / job.BlockTokens : 0;
            row.FirstSegment = FirstVisible(job, row.FirstPosition) / job.SegmentLen;
            row.EndSegment = (int)((row.NumKeys + (job.SegmentLen - 1L)) / job.SegmentLen);
            keys += (long)row.NumBlocks * Math.Max(0, row.EndSegment - row.FirstSegment) * job.SegmentLen;
        }

        // One thread reads everything anyway. Otherwise an item should be short enough that threads finish together.
        bool split = crew.NumThreads > 1;
        long minItems = ItemsPerThread * (long)crew.NumThreads;
        int heads = ItemHeads(job, split ? Math.Max(1, keys / job.SegmentLen) : 1, split ? minItems : 1);

        // A fixed split is into segments, or into spans where segments are many more than threads: each item starts with keys that were not asked for.
        long target = args.Split == KvSplit.Occupancy ? keys * job.NumKvHeads / minItems
            : keys * job.NumKvHeads / ((long)heads * job.SegmentLen) < minItems * SpanSegments ? 0
            : (long)heads * job.SegmentLen * SpanSegments;
        long partial = 0;
        for (int r = 0; r < job.NumRows; r++)
        {
            ref AttentionRow row = ref job.Rows[r];
            row.FirstItem = job.NumItems;
            row.FirstMerge = job.NumMerges;
            row.ItemHeads = Math.Clamp(MaxItemRows / Math.Max(1, Math.Min(row.QueryLen, job.BlockTokens) * job.GqaRatio), 1, heads);
            job.MaxItemHeads = Math.Max(job.MaxItemHeads, row.ItemHeads);
            int groups = row.NumGroups(job.NumKvHeads);
            long floats = split && row.NumBlocks == 1 ? SplitRow(ref row, job, target / row.ItemHeads, (PartialBudgetBytes / sizeof(float)) - partial) : 0;
            job.NumItems = checked(job.NumItems + (groups * (row.ItemSegments > 0 ? row.NumUnits : row.NumBlocks)));
            if (row.ItemSegments == 0) continue;
            row.Partial = partial;
            partial += floats;
            job.NumMerges += job.NumKvHeads;
        }

        return partial;
    }

    /// <summary>Most KV heads of an item, of which there can be <paramref name="segments"/> for each group of heads and should be a number.</summary>
    private static int ItemHeads(in AttentionJob job, long segments, long minItems)
    {
        int heads = (int)Math.Clamp(MaxItemHeadBytes / ((long)job.Key.Dim * job.Key.ElementBytes), 1, job.NumKvHeads);
        while (heads > 1 && segments * ((job.NumKvHeads + heads - 1) / heads) < minItems) heads /= 2;
        return heads;
    }

    /// <summary>Chooses the items of a row with few queries: the longest that are no longer than the target, whose partial results fit.</summary>
    private static long SplitRow(ref AttentionRow row, in AttentionJob job, long target, long budget)
    {
        int segments = row.EndSegment - row.FirstSegment;
        if (segments <= 1 || segments * (long)job.SegmentLen <= target) return 0;
        for (int size = target >= SpanSegments * (long)job.SegmentLen ? SpanSegments : 1; size <= SpanSegments; size *= SpanSegments)
        {
            row.ItemSegments = size;
            long floats = (long)row.NumGroups(job.NumKvHeads) * row.ItemHeads * row.NumUnits * row.QueryLen * job.GqaRatio * PartialStride(job.ValueDim);
            if (row.NumUnits > 1 && floats <= budget) return floats;
        }

        row.ItemSegments = 0;
        return 0;
    }
}
