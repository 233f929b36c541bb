using System.Runtime.CompilerServices;
using Rocm.Inference.Devices.Cpu.Panels;

namespace Rocm.Inference.Devices.Cpu.Attention;

/// <summary>One segment of keys for the query rows of an item, and what becomes of its result.</summary>
internal sealed unsafe partial class CpuAttentionKernels<TSimd, TVector>
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void LoadQueries(AttentionJob* job, in AttentionScratch scratch, in AttentionItem work, int splitStep)
    {
        // The scale of a K of 8-bit floats is a factor of every score of the head.
        int dim = job->Query.Columns, ropeDim = job->QueryRope.Columns;
        for (int i = 0; i < work.NumRows(job->GqaRatio); i++)
        {
            float scale = (job->SoftCap > 0 || job->Slopes != null ? job->Scale : job->Scale * Log2E) * job->Key.Scale(work.Head + (i / (work.NumTokens * job->GqaRatio)));
            float* target = scratch.Queries + ((long)i * scratch.QueryStride);
            Scaled(HeadRow(job->Query, work, job->GqaRatio, i), target, dim, scale);
            if (ropeDim > 0) Scaled(HeadRow(job->QueryRope, work, job->GqaRatio, i), target + dim, ropeDim, scale);
            if (((dim + ropeDim) & 1) != 0) target[dim + ropeDim] = 0;
            if (splitStep == KeyRowTile<Bf16Words>.StepElements) KeyRowTile<Bf16Words>.SplitPairs(target, dim + ropeDim);
            else if (splitStep > 0) KeyRunTile<Bf16Words>.SplitPairs(target, dim + ropeDim);
        }

        if (splitStep != KeyRowTile<Bf16Words>.StepElements) return;
        int rowsOfHead = work.NumTokens * job->GqaRatio;
        for (int head = 0; head < work.NumHeads; head++)
        {
            for (int i = 0; i + QueryGroup.Rows <= rowsOfHead; i += QueryGroup.Rows)
            {
                long at = ((head * (long)rowsOfHead) + i) * scratch.QueryStride;
                QueryGroup.Pack(scratch.Queries + at, scratch.QueryStride, dim + ropeDim, scratch.GroupQueries + at);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Scaled(float* source, float* target, int count, float scale)
    {
        TVector factor = TSimd.Create(scale);
        int i = 0;
        for (; i + TSimd.Count <= count; i += TSimd.Count) TSimd.Store(TSimd.Multiply(TSimd.Load(source + i), factor), target + i);
        for (; i < count; i++) target[i] = source[i] * scale;
    }

    private static float* HeadRow(in CpuOperand operand, in AttentionItem work, int ratio, int row)
    {
        (int token, int queryHead) = work.Row(row, ratio);
        return Head(operand, token, queryHead);
    }

    /// <summary>Fills the scratch's span arrays from the keys of one span.</summary>
    private static void AttendSpan<TReader>(AttentionJob* job, in AttentionScratch scratch, in AttentionItem work, int span)
        where TReader : IKvTileReader<TSimd, TVector>
    {
        int rows = work.NumRows(job->GqaRatio);
        scratch.ClearSpans(rows);
        int segment = Math.Max(span * SpanSegments, FirstVisible(*job, work.FirstPosition) / job->SegmentLen);
        for (int end = (span + 1) * SpanSegments; segment < end && segment * (long)job->SegmentLen < work.EndKey; segment++)
        {
            AttendSegment<TReader>(job, scratch, work, segment);
            for (int i = 0; i < rows; i++)
                FoldSegment(scratch, i, scratch.Max[i], scratch.Sum[i], scratch.Values + ((long)i * scratch.ValueStride));
        }
    }

    /// <summary>Fills Max, Sum and Values of the item's query rows from the keys of one segment.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AttendSegment<TReader>(AttentionJob* job, in AttentionScratch scratch, in AttentionItem work, int segment)
        where TReader : IKvTileReader<TSimd, TVector>
    {
        int ratio = job->GqaRatio, rows = work.NumRows(ratio);
        new Span<float>(scratch.Max, rows).Fill(float.NegativeInfinity);
        new Span<float>(scratch.Sum, rows).Clear();
        new Span<float>(scratch.Values, rows * scratch.ValueStride).Clear();

        int segmentStart = segment * job->SegmentLen;
        int segmentEnd = (int)Math.Min(segmentStart + (long)job->SegmentLen, EndVisible(*job, work.FirstPosition + work.NumTokens - 1, work.NumKeys));
        int firstKey = Math.Max(segmentStart, FirstVisible(*job, work.FirstPosition));
        for (int start = segmentStart + ((firstKey - segmentStart) / Panel.Width * Panel.Width); start < segmentEnd; start += Panel.Width)
        {
            // Tokens that see any key of the tile: those at or after its start, and not so late that the window has passed it.
            int tileEnd = Math.Min(start + Panel.Width, segmentEnd);
            int first = job->Causal ? Math.Max(0, start - work.FirstPosition) : 0;
            int end = (int)Math.Min(work.NumTokens, tileEnd - 1L + job->Window - work.FirstPosition);
            if (first >= end) continue;

            var tile = new KvTile
            {
                Start = start,
                First = Math.Max(start, FirstVisible(*job, work.FirstPosition + first)),
                End = Math.Min(tileEnd, EndVisible(*job, work.FirstPosition + end - 1, work.NumKeys)),
                Ahead = work.EndKey,
                NumHeads = work.NumHeads,
            };
            if (tile.First >= tile.End) continue;
            for (KvTileSource source = work.Source; tile.HeadIndex < work.NumHeads; tile.HeadIndex++, source.Head++)
                AttendTile<TReader>(job, scratch, work, source, tile, first, end);
        }
    }

    /// <summary>Tokens [first, end) of one head of an item and the keys of one tile.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AttendTile<TReader>(
        AttentionJob* job, in AttentionScratch scratch, in AttentionItem work, in KvTileSource source, in KvTile tile, int first, int end)
        where TReader : IKvTileReader<TSimd, TVector>
    {
        int ratio = job->GqaRatio, start = tile.Start;
        int row = ((tile.HeadIndex * work.NumTokens) + first) * ratio, count = (end - first) * ratio;
        KeyForm keys = TReader.LoadKeys(source, tile, scratch, count);
        bool seen = SeeAll(job, work, first, end, tile.First, tile.End);
        ValueForm form = TReader.LoadValues(source, tile, scratch, count, inFloats: !seen);
        bool plain = job->SoftCap <= 0 && job->Slopes == null;
        if (plain && seen && first * ratio % QueryGroup.Rows == 0)
        {
            // What is asked for ahead, the groups have asked for.
            int done = TReader.AttendGroups(source, tile, scratch, job->ValueDim, keys, form, row, count);
            if (done == count) return;
            if (done > 0)
            {
                row += done;
                count -= done;
                *scratch.KeyAhead = new CacheAhead { Rows = scratch.KeyRows };
                *scratch.ValueAhead = new CacheAhead { Rows = scratch.ValueRows };
            }
        }

        TReader.Scores(source, tile, scratch, job->HeadDim, keys, row, count);
        if (job->SoftCap > 0 || job->Slopes != null)
        {
            for (int i = row; i < row + count; i++)
            {
                float factor = SoftmaxRow(
                    job, scratch.Scores + ((long)i * Panel.Width), Panel.Width, start, work.FirstPosition + first + ((i - row) / ratio), tile.End,
                    (source.Head * ratio) + ((i - row) % ratio), scratch.Lanes, ref scratch.Max[i], ref scratch.Sum[i]);
                if (factor != 1) Scale(scratch.Values + ((long)i * scratch.ValueStride), scratch.ValueStride, factor);
            }
        }
        else
        {
            SoftmaxRows(job, scratch, row, count, start, work.FirstPosition + first, tile.End);
        }

        if (seen) TReader.AddValues(tile, scratch, job->ValueDim, form, row, count);
        else AddSeenValues<TReader>(job, scratch, work, tile, first, end, row);
    }

    private static void SavePartials(AttentionJob* job, in AttentionScratch scratch, float* partial, int rows, bool ofSpan)
    {
        float* values = ofSpan ? scratch.Spans : scratch.Values;
        for (int i = 0; i < rows; i++, partial += PartialStride(job->ValueDim), values += scratch.ValueStride)
        {
            partial[0] = ofSpan ? scratch.SpanMax[i] : scratch.Max[i];
            partial[1] = ofSpan ? scratch.SpanSum[i] : scratch.Sum[i];
            if (partial[0] == float.NegativeInfinity) continue;
            new ReadOnlySpan<float>(values, scratch.ValueStride).CopyTo(new Span<float>(partial + PartialHeader, scratch.ValueStride));
        }
    }

    private static float* Partial(AttentionJob* job, in AttentionRow row, int group, int unit) =>
        job->Partials + row.Partial + ((((long)group * row.NumUnits) + unit) * row.ItemHeads * row.QueryLen * job->GqaRatio * PartialStride(job->ValueDim));

    /// <summary>Merges the partial results of a split row and head in the order in which an unsplit row is computed.</summary>
    private static void MergeItem(AttentionJob* job, in AttentionScratch scratch, int item)
    {
        ref AttentionRow row = ref job->Rows[FindRow(job, item, byMerge: true)];
        int head = item - row.FirstMerge;
        (int group, int headOfGroup) = Math.DivRem(head, row.ItemHeads);
        var work = new AttentionItem { FirstToken = row.QueryStart, NumTokens = row.QueryLen, Head = head, NumHeads = 1 };
        int rows = work.NumRows(job->GqaRatio);
        scratch.ClearTotals(rows);
        scratch.ClearSpans(rows);
        int end = row.FirstUnit + row.NumUnits;
        for (int unit = row.FirstUnit; unit < end; unit++)
        {
            float* partial = Partial(job, row, group, unit - row.FirstUnit) + (headOfGroup * rows * PartialStride(job->ValueDim));
            for (int i = 0; i < rows; i++, partial += PartialStride(job->ValueDim)) FoldSegment(scratch, i, partial[0], partial[1], partial + PartialHeader);
            if (row.ItemSegments == 1 && (unit + 1) % SpanSegments != 0 && unit + 1 < end) continue;
            for (int i = 0; i < rows; i++) FoldSpan(scratch, i);
            scratch.ClearSpans(rows);
        }

        WriteOutput(job, scratch, work);
    }

    /// <summary>Divides by the softmax denominator, which the sink joins, and writes the rows and their LSE; 0 and −∞ for a row without keys.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void WriteOutput(AttentionJob* job, in AttentionScratch scratch, in AttentionItem work)
    {
        for (int i = 0; i < work.NumRows(job->GqaRatio); i++)
        {
            (int token, int head) = work.Row(i, job->GqaRatio);
            float* output = Head(job->Output, token, head);
            float* lse = job->Lse == null ? null : job->Lse + (head * job->LseStride) + token;
            float max = scratch.TotalMax[i] * (float)(1 / (double)Log2E), factor = 1, sum = scratch.TotalSum[i];
            if (max == float.NegativeInfinity)
            {
                new Span<float>(output, job->ValueDim).Clear();
                if (lse != null) *lse = float.NegativeInfinity;
                continue;
            }

            if (job->Sinks != null)
            {
                float sink = job->Sinks[head];
                float newMax = MathF.Max(max, sink);
                factor = Exp(max - newMax);
                sum = (sum * factor) + Exp(sink - newMax);
                max = newMax;
            }

            if (lse != null) *lse = max + MathF.Log(sum);

            // Adding 0 turns −0 into +0: the sign of a zero may depend on how many masked keys shared the tile.
            float* total = scratch.Totals + ((long)i * scratch.ValueStride);
            float scale = factor / sum * job->Value.Scale(head / job->GqaRatio);
            int d = 0;
            for (int lanes = TSimd.Count; job->SplitsValues && d + (2 * lanes) <= job->ValueDim; d += 2 * lanes)
            {
                for (int k = 0; k < lanes; k++)
                {
                    output[d + (2 * k)] = (total[d + k] * scale) + 0f;
                    output[d + (2 * k) + 1] = (total[d + lanes + k] * scale) + 0f;
                }
            }

            for (; d < job->ValueDim; d++) output[d] = (total[d] * scale) + 0f;
        }
    }
}
