using System.Runtime.CompilerServices;
using Rocm.Inference.Devices.Cpu.Panels;
using Rocm.Inference.Devices.Cpu.Simd;

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
                SoftmaxRow(job, scratch, i, tile, work.FirstPosition + (i / ratio), work.NumKeys, (work.Head * ratio) + (i % ratio));
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

    /// <summary>Turns one row of scores into probabilities relative to the running maximum and rescales what the row has summed so far.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void SoftmaxRow(AttentionJob* job, in AttentionScratch scratch, int row, int tile, int position, int numKeys, int head)
    {
        float* scores = scratch.Scores + ((long)row * Panel.Width);
        if (job->SoftCap > 0 || job->Slopes != null) Bias(job, scratch, scores, tile, position, head);
        int from = Math.Clamp(FirstVisible(*job, position) - tile, 0, Panel.Width);
        int to = Math.Clamp(EndVisible(*job, position, numKeys) - tile, 0, Panel.Width);
        for (int j = 0; j < from; j++) scores[j] = float.NegativeInfinity;
        for (int j = to; j < Panel.Width; j++) scores[j] = float.NegativeInfinity;

        TVector largest = TSimd.Load(scores);
        for (int j = TSimd.Count; j < Panel.Width; j += TSimd.Count) largest = TSimd.Max(largest, TSimd.Load(scores + j));
        float oldMax = scratch.Max[row];
        float max = MathF.Max(oldMax, TSimd.MaxAcross(largest));
        if (max == float.NegativeInfinity)
        {
            // Every score is −∞: no weight, and −∞ − (−∞) below would make it NaN.
            new Span<float>(scores, Panel.Width).Clear();
            return;
        }

        TVector shift = TSimd.Create(max), sum = TSimd.Zero;
        for (int j = 0; j < Panel.Width; j += TSimd.Count)
        {
            TVector p = VectorMath.Exp<TSimd, TVector>(TSimd.Subtract(TSimd.Load(scores + j), shift));
            TSimd.Store(p, scores + j);
            sum = TSimd.Add(sum, p);
        }

        if (max != oldMax)
        {
            float factor = Exp(oldMax - max);
            scratch.Sum[row] *= factor;
            scratch.Max[row] = max;
            Scale(scratch.Values + ((long)row * scratch.ValueStride), scratch.ValueStride, factor);
        }

        scratch.Sum[row] += TSimd.Sum(sum);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Bias(AttentionJob* job, in AttentionScratch scratch, float* scores, int tile, int position, int head)
    {
        TVector cap = TSimd.Create(job->SoftCap), slope = TSimd.Create(job->Slopes == null ? 0 : job->Slopes[head]);
        TVector distance = TSimd.Create(tile - position);
        for (int j = 0; j < Panel.Width; j += TSimd.Count)
        {
            TVector s = TSimd.Load(scores + j);
            if (job->SoftCap > 0) s = TSimd.Multiply(cap, VectorMath.Tanh<TSimd, TVector>(TSimd.Divide(s, cap)));
            if (job->Slopes != null) s = TSimd.MultiplyAdd(slope, TSimd.Add(distance, TSimd.Load(scratch.Lanes + j)), s);
            TSimd.Store(s, scores + j);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Scale(float* values, int count, float factor)
    {
        TVector f = TSimd.Create(factor);
        for (int i = 0; i < count; i += TSimd.Count) TSimd.Store(TSimd.Multiply(TSimd.Load(values + i), f), values + i);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Exp(float x)
    {
        float* lanes = stackalloc float[16];
        TSimd.Store(VectorMath.Exp<TSimd, TVector>(TSimd.Create(x)), lanes);
        return lanes[0];
    }

    /// <summary>Merges the result of a segment into the total of a row. Called for the segments in order.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Fold(in AttentionScratch scratch, int row, float max, float sum, float* values)
    {
        if (max == float.NegativeInfinity) return;
        float* total = scratch.Totals + ((long)row * scratch.ValueStride);
        float oldMax = scratch.TotalMax[row];
        if (oldMax == float.NegativeInfinity)
        {
            new ReadOnlySpan<float>(values, scratch.ValueStride).CopyTo(new Span<float>(total, scratch.ValueStride));
            scratch.TotalMax[row] = max;
            scratch.TotalSum[row] = sum;
            return;
        }

        float newMax = MathF.Max(oldMax, max);
        float oldFactor = Exp(oldMax - newMax), factor = Exp(max - newMax);
        TVector a = TSimd.Create(oldFactor), b = TSimd.Create(factor);
        for (int i = 0; i < scratch.ValueStride; i += TSimd.Count)
            TSimd.Store(TSimd.MultiplyAdd(TSimd.Load(values + i), b, TSimd.Multiply(TSimd.Load(total + i), a)), total + i);
        scratch.TotalMax[row] = newMax;
        scratch.TotalSum[row] = (scratch.TotalSum[row] * oldFactor) + (sum * factor);
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
