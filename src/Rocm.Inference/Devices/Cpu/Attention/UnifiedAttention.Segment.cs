using System.Runtime.CompilerServices;
using Rocm.Inference.Devices.Cpu.Panels;

namespace Rocm.Inference.Devices.Cpu.Attention;

/// <summary>One segment of keys for the query rows of an item, and what becomes of its result.</summary>
internal sealed unsafe partial class CpuAttentionKernels<TSimd, TVector>
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void LoadQueries(AttentionJob* job, in AttentionScratch scratch, in AttentionItem work)
    {
        int dim = job->Query.Columns, ropeDim = job->QueryRope.Columns;
        for (int i = 0; i < work.NumTokens * job->GqaRatio; i++)
        {
            float* source = HeadRow(job->Query, work, job->GqaRatio, i);
            float* target = scratch.Queries + ((long)i * scratch.QueryStride);
            for (int d = 0; d < dim; d++) target[d] = source[d] * job->Scale;
            if (ropeDim > 0)
            {
                source = HeadRow(job->QueryRope, work, job->GqaRatio, i);
                for (int d = 0; d < ropeDim; d++) target[dim + d] = source[d] * job->Scale;
            }

            if (((dim + ropeDim) & 1) != 0) target[dim + ropeDim] = 0;
        }
    }

    private static float* HeadRow(in CpuOperand operand, in AttentionItem work, int ratio, int row) =>
        Head(operand, work.FirstToken + (row / ratio), (work.Head * ratio) + (row % ratio));

    /// <summary>Fills Max, Sum and Values of the item's query rows from the keys of one segment.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AttendSegment<TReader>(AttentionJob* job, in AttentionScratch scratch, in AttentionItem work, int segment)
        where TReader : IKvTileReader<TSimd, TVector>
    {
        int ratio = job->GqaRatio, rows = work.NumTokens * ratio;
        new Span<float>(scratch.Max, rows).Fill(float.NegativeInfinity);
        new Span<float>(scratch.Sum, rows).Clear();
        new Span<float>(scratch.Values, rows * scratch.ValueStride).Clear();

        int segmentEnd = Math.Min((segment + 1) * SegmentLen, EndVisible(*job, work.FirstPosition + work.NumTokens - 1, work.NumKeys));
        int firstKey = Math.Max(segment * SegmentLen, FirstVisible(*job, work.FirstPosition));
        for (int tile = firstKey / Panel.Width * Panel.Width; tile < segmentEnd; tile += Panel.Width)
        {
            // Tokens that see any key of the tile: those at or after its start, and not so late that the window has passed it.
            int first = job->Causal ? Math.Max(0, tile - work.FirstPosition) : 0;
            long lastInWindow = (long)tile + Panel.Width - 2 + job->Window - work.FirstPosition;
            int end = (int)Math.Min(work.NumTokens, lastInWindow + 1);
            if (first >= end) continue;

            int keysFrom = Math.Max(tile, FirstVisible(*job, work.FirstPosition + first));
            int keysTo = Math.Min(tile + Panel.Width, EndVisible(*job, work.FirstPosition + end - 1, work.NumKeys));
            if (keysFrom >= keysTo) continue;
            TReader.LoadKeys(work.Source, tile, keysFrom, keysTo, scratch.KeyPanel);
            TReader.LoadValues(work.Source, tile, keysFrom, keysTo, scratch.ValuePanels);

            int row = first * ratio, count = (end - first) * ratio;
            float* scores = scratch.Scores + ((long)row * Panel.Width);
            TReader.Scores(count, job->HeadDim, scratch.Queries + ((long)row * scratch.QueryStride), scratch.QueryStride, scratch.KeyPanel, scores);
            for (int i = row; i < row + count; i++)
            {
                float factor = SoftmaxRow(
                    job, scratch.Scores + ((long)i * Panel.Width), Panel.Width, tile, work.FirstPosition + (i / ratio), work.NumKeys,
                    (work.Head * ratio) + (i % ratio), scratch.Lanes, ref scratch.Max[i], ref scratch.Sum[i]);
                if (factor != 1) Scale(scratch.Values + ((long)i * scratch.ValueStride), scratch.ValueStride, factor);
            }

            AddValues(scratch, row, count, (keysTo - tile + 1) / 2);
        }
    }

    private static void AddValues(in AttentionScratch scratch, int row, int count, int pairs)
    {
        float* panel = scratch.ValuePanels;
        for (int slice = 0; slice < scratch.ValueStride; slice += Panel.Width, panel += Panel.Width * Panel.Width)
        {
            PanelTile<TSimd, TVector, F32Panel<TSimd, TVector>>.Multiply(
                count, pairs, scratch.Scores + ((long)row * Panel.Width), Panel.Width, (byte*)panel,
                scratch.Values + ((long)row * scratch.ValueStride) + slice, scratch.ValueStride, add: true);
        }
    }

    private static void SavePartials(AttentionJob* job, in AttentionScratch scratch, in AttentionRow row, int head, int segment, int rows)
    {
        float* partial = Partial(job, row, head, segment, rows);
        for (int i = 0; i < rows; i++, partial += PartialStride(job->ValueDim))
        {
            partial[0] = scratch.Max[i];
            partial[1] = scratch.Sum[i];
            new ReadOnlySpan<float>(scratch.Values + ((long)i * scratch.ValueStride), scratch.ValueStride)
                .CopyTo(new Span<float>(partial + PartialHeader, scratch.ValueStride));
        }
    }

    private static float* Partial(AttentionJob* job, in AttentionRow row, int head, int segment, int rows) =>
        job->Partials + row.Partial + ((((long)head * (row.EndSegment - row.FirstSegment)) + segment) * rows * PartialStride(job->ValueDim));

    private static void MergeItem(AttentionJob* job, in AttentionScratch scratch, int item)
    {
        ref AttentionRow row = ref job->Rows[FindRow(job, item, byMerge: true)];
        int head = item - row.FirstMerge, rows = row.QueryLen * job->GqaRatio;
        scratch.ClearTotals(rows);
        for (int segment = 0; segment < row.EndSegment - row.FirstSegment; segment++)
        {
            float* partial = Partial(job, row, head, segment, rows);
            for (int i = 0; i < rows; i++, partial += PartialStride(job->ValueDim)) Fold(scratch, i, partial[0], partial[1], partial + PartialHeader);
        }

        WriteOutput(job, scratch, new AttentionItem { FirstToken = row.QueryStart, NumTokens = row.QueryLen, Head = head });
    }

    /// <summary>Divides by the softmax denominator, which the sink joins, and writes the rows and their LSE; 0 and −∞ for a row without keys.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void WriteOutput(AttentionJob* job, in AttentionScratch scratch, in AttentionItem work)
    {
        for (int i = 0; i < work.NumTokens * job->GqaRatio; i++)
        {
            float* output = HeadRow(job->Output, work, job->GqaRatio, i);
            int head = (work.Head * job->GqaRatio) + (i % job->GqaRatio);
            float* lse = job->Lse == null ? null : job->Lse + (head * job->LseStride) + work.FirstToken + (i / job->GqaRatio);
            float max = scratch.TotalMax[i], factor = 1, sum = scratch.TotalSum[i];
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
            float scale = factor / sum;
            for (int d = 0; d < job->ValueDim; d++) output[d] = (total[d] * scale) + 0f;
        }
    }
}
