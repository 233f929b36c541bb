using System.Runtime.CompilerServices;
using Rocm.Inference.Devices.Cpu.Panels;

namespace Rocm.Inference.Devices.Cpu.Attention;

/// <summary>
/// Attention over the paged cache for any mix of rows. Keys are taken in tiles of 48 positions, segments of 384 and spans of 8 segments, all at fixed
/// absolute positions: within a segment an online softmax goes over the tiles, a span's segments are merged in order, and so are the spans. Which
/// query tokens share a work item, and whether the segments of a row run one after the other or on several threads with a merge afterwards,
/// changes no bit of a result.
/// All query heads of a KV head are processed together, so that its K and V are read once.
/// </summary>
internal sealed unsafe partial class CpuAttentionKernels<TSimd, TVector>
{
    private const int UnifiedSegmentLen = 8 * Panel.Width;

    // Segments of a span: with it as a second level, a long row is split into few items and still merged in one fixed order.
    private const int SpanSegments = 8;

    // Rows (query tokens × heads of a group) of a work item: enough that packing a K/V tile for them costs little.
    private const int MaxItemRows = AttentionScratch.MaxGroupRows;
    private const int ItemsPerThread = 4;
    private const int PartialHeader = 16;

    public void UnifiedAttention(DeviceContext context, in PagedAttentionArgs args)
    {
        AttentionJob job = Describe(args);
        RunPaged(context, job, args);
    }

    public long UnifiedAttentionScratchBytes(AttentionSpec spec, in BatchLimits limits) => PagedScratchBytes(spec, limits, UnifiedSegmentLen);

    /// <summary>Plans and runs a described job over the paged cache of <paramref name="args"/>.</summary>
    private void RunPaged(DeviceContext context, in AttentionJob described, in PagedAttentionArgs args)
    {
        if (args.NumRows == 0) return;
        AttentionJob job = described;
        long mark = context.Mark();
        TensorView rows = context.Scratch(DType.U8, (long)args.NumRows * sizeof(AttentionRow));
        job.Rows = (AttentionRow*)rows.Address;
        long partialFloats = Plan(ref job, args);
        if (partialFloats > 0) job.Partials = (float*)context.Scratch(DType.F32, partialFloats).Address;

        using (crew.Enter())
        {
            crew.ReserveScratch(new AttentionScratch(job).SizeBytes);
            bool alone = job.NumItems == 1;
            switch (args.Cache.Key.DType)
            {
                case DType.F16:
                    crew.Run(&Attend<PagedTileReader<TSimd, TVector, F16Panel<TSimd, TVector>, F16Rows<TSimd, TVector>>>, &job, alone);
                    break;
                case DType.F32:
                    crew.Run(&Attend<PagedTileReader<TSimd, TVector, F32Panel<TSimd, TVector>, F32Rows<TSimd, TVector>>>, &job, alone);
                    break;
                default:
                    crew.Run(&Attend<PagedTileReader<TSimd, TVector, Bf16Panel<TSimd, TVector>, Bf16Rows<TSimd, TVector>>>, &job, alone);
                    break;
            }
        }

        context.Release(mark);
    }

    private static long PartialStride(int valueDim) => PartialHeader + AttentionScratch.PaddedValueDim(valueDim);

    /// <param name="args">Operands.</param>
    /// <param name="queryRope">The rest of each query head, or absent.</param>
    private static AttentionJob Describe(in PagedAttentionArgs args, TensorView queryRope = default)
    {
        AttentionSpec spec = args.Spec;
        CacheTensor keys = CacheTensor.Key(args.Cache), values = CacheTensor.Value(args.Cache);
        if (keys.DType != values.DType || keys.NumBlocks != values.NumBlocks || keys.NumHeads != values.NumHeads)
            throw new ArgumentException($"K and V differ in type, blocks or heads: {args.Cache.Key} and {args.Cache.Value}.", nameof(args));
        long tokens = args.Query.Dim(0), queryHeads = args.Query.Dim(1), kvHeads = keys.NumHeads;
        long ropeDim = queryRope.IsAbsent ? 0 : queryRope.Dim(2);
        if (ropeDim > 0) CheckHeads(queryRope, tokens, queryHeads, ropeDim, nameof(queryRope));
        CheckHeads(args.Query, tokens, queryHeads, keys.Dim - ropeDim, nameof(args.Query));
        CheckHeads(args.Output, tokens, queryHeads, values.Dim, nameof(args.Output));
        if (queryHeads % kvHeads != 0)
            throw new ArgumentException($"{queryHeads} query heads cannot share {kvHeads} KV heads.", nameof(args));
        int ratio = (int)(queryHeads / kvHeads);
        if (args.NumRows > 0 && (args.BlockTable.DType != DType.I32 || args.BlockTable.Rank != 2 || args.BlockTable.Dim(0) < args.NumRows))
            throw new ArgumentException($"Expected a block table of {args.NumRows} rows of i32, found {args.BlockTable}.", nameof(args));

        return new AttentionJob
        {
            Query = CpuOperand.Of(args.Query),
            QueryRope = ropeDim > 0 ? CpuOperand.Of(queryRope) : default,
            Output = CpuOperand.Of(args.Output),
            Key = keys,
            Value = values,
            BlockTable = args.NumRows == 0 ? null : (int*)args.BlockTable.Address,
            BlockTableStride = args.NumRows == 0 ? 0 : args.BlockTable.Stride(0),
            NumTableEntries = args.NumRows == 0 ? 0 : (int)args.BlockTable.Dim(1),
            Scale = spec.SoftmaxScale,
            SoftCap = spec.LogitsSoftCap,
            Window = spec.SlidingWindow ?? int.MaxValue,
            Causal = true,
            Sinks = HeadVector(args.Sinks, spec.HasSinks, queryHeads),
            Slopes = HeadVector(args.AlibiSlopes, spec.HasAlibi, queryHeads),
            GqaRatio = ratio,
            NumKvHeads = (int)kvHeads,
            BlockTokens = Math.Max(1, MaxItemRows / ratio),
            SegmentLen = UnifiedSegmentLen,
            NumRows = args.NumRows,
        };
    }

    private static float* HeadVector(TensorView view, bool expected, long heads, [CallerArgumentExpression(nameof(view))] string? name = null)
    {
        if (view.IsAbsent)
        {
            if (expected) throw new ArgumentException($"The spec has them, but {name} is absent.", name);
            return null;
        }

        CpuOperand operand = CpuOperand.Of(view, name);
        operand.Expect(1, heads, name);
        return operand.Address;
    }

    /// <summary>First key that a query at a position sees.</summary>
    private static int FirstVisible(in AttentionJob job, int position) => (int)Math.Max(0L, position - (long)job.Window + 1);

    /// <summary>End of the keys that a query at a position sees.</summary>
    private static int EndVisible(in AttentionJob job, int position, int numKeys) => job.Causal ? (int)Math.Clamp(position + 1L, 0, numKeys) : numKeys;

    private static void Attend<TReader>(CpuCrew crew, int worker, AttentionJob* job)
        where TReader : IKvTileReader<TSimd, TVector>
    {
        var scratch = new AttentionScratch(*job);
        scratch.Place(crew.Scratch(worker));
        if (job->Key.DType.IsFloat8()) Float8Pieces<TSimd, TVector>.FillTable(job->Key.DType, scratch.Table);
        int item = crew.Claim();
        for (; item < job->NumItems; item = crew.Claim()) AttendItem<TReader>(job, scratch, item);
        if (job->NumMerges == 0) return;
        crew.Barrier();
        for (item -= job->NumItems; item < job->NumMerges; item = crew.Claim() - job->NumItems) MergeItem(job, scratch, item);
    }

    private static void AttendItem<TReader>(AttentionJob* job, in AttentionScratch scratch, int item)
        where TReader : IKvTileReader<TSimd, TVector>
    {
        int rowIndex = FindRow(job, item, byMerge: false);
        ref AttentionRow row = ref job->Rows[rowIndex];
        int index = item - row.FirstItem;
        (index, int group) = Math.DivRem(index, row.NumGroups(job->NumKvHeads));
        int head = group * row.ItemHeads;

        // The last block of a causal row has the most keys: it goes first, so that threads finish together.
        int block = row.ItemSegments > 0 ? 0 : row.NumBlocks - 1 - index;
        int firstToken = block * job->BlockTokens;
        var work = new AttentionItem
        {
            FirstToken = row.QueryStart + firstToken,
            NumTokens = Math.Min(job->BlockTokens, row.QueryLen - firstToken),
            FirstPosition = row.FirstPosition + firstToken,
            NumKeys = row.NumKeys,
            Head = head,
            NumHeads = Math.Min(row.ItemHeads, job->NumKvHeads - head),
            Source = SourceOf(job, rowIndex, head),
        };
        int rows = work.NumRows(job->GqaRatio);
        work.EndKey = EndVisible(*job, work.FirstPosition + work.NumTokens - 1, work.NumKeys);
        LoadQueries(job, scratch, work, TReader.SplitStep(job->Key));
        if (row.ItemSegments > 0)
        {
            int unit = row.FirstUnit + index;
            work.EndKey = (int)Math.Min(work.EndKey, (unit + 1L) * row.ItemSegments * job->SegmentLen);
            if (row.ItemSegments == 1) AttendSegment<TReader>(job, scratch, work, unit);
            else AttendSpan<TReader>(job, scratch, work, unit);
            SavePartials(job, scratch, Partial(job, row, group, index), rows, ofSpan: row.ItemSegments > 1);
            return;
        }

        scratch.ClearTotals(rows);
        int spanLen = job->SegmentLen * SpanSegments;
        for (int span = FirstVisible(*job, work.FirstPosition) / spanLen; span * (long)spanLen < work.EndKey; span++)
        {
            AttendSpan<TReader>(job, scratch, work, span);
            for (int i = 0; i < rows; i++) FoldSpan(scratch, i);
        }

        WriteOutput(job, scratch, work);
    }

    private static KvTileSource SourceOf(AttentionJob* job, int row, int head) => new()
    {
        Key = job->Key,
        Value = job->Value,
        KeyRope = job->KeyRope,
        BlockTable = job->BlockTable + (row * job->BlockTableStride),
        NumTableEntries = job->NumTableEntries,
        Head = head,
    };

    private static int FindRow(AttentionJob* job, int item, bool byMerge)
    {
        // The last row that starts at or before the item; rows without items start where their successor does.
        int low = 0, high = job->NumRows - 1;
        while (low < high)
        {
            int middle = (low + high + 1) / 2;
            if ((byMerge ? job->Rows[middle].FirstMerge : job->Rows[middle].FirstItem) <= item) low = middle;
            else high = middle - 1;
        }

        return low;
    }
}
