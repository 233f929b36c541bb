using System.Runtime.CompilerServices;
using Rocm.Inference.Devices.Cpu.Panels;

namespace Rocm.Inference.Devices.Cpu.Attention;

/// <summary>
/// Keys that some tokens of an item see and others do not. Their weight is 0 for the others, and 0 times infinity or NaN is NaN: where V of such a key is not
/// finite, each token takes the keys that it sees, one token after the other. Of finite values both ways give the same bits.
/// </summary>
internal sealed unsafe partial class CpuAttentionKernels<TSimd, TVector>
{
    /// <summary>True when each of the item's tokens [first, end) sees all of the keys [firstKey, endKey).</summary>
    private static bool SeeAll(AttentionJob* job, in AttentionItem work, int first, int end, int firstKey, int endKey) =>
        FirstVisible(*job, work.FirstPosition + end - 1) <= firstKey && EndVisible(*job, work.FirstPosition + first, work.NumKeys) >= endKey;

    /// <summary>Adds p · v of a tile whose V lies in rows of floats.</summary>
    private static void AddSeenValues<TReader>(AttentionJob* job, in AttentionScratch scratch, in AttentionItem work, in KvTile tile, int first, int end, int row)
        where TReader : IKvTileReader<TSimd, TVector>
    {
        bool finite = true;
        for (int j = tile.First - tile.Start; j < tile.End - tile.Start; j++) finite &= IsFinite((float*)scratch.ValueRows[j], job->ValueDim);
        if (finite)
        {
            TReader.AddValues(tile, scratch, job->ValueDim, ValueForm.Floats, row, (end - first) * job->GqaRatio);
            return;
        }

        for (int token = first; token < end; token++, row += job->GqaRatio)
        {
            int position = work.FirstPosition + token;
            KvTile seen = tile;
            seen.First = Math.Max(tile.First, FirstVisible(*job, position));
            seen.End = Math.Min(tile.End, EndVisible(*job, position, work.NumKeys));
            if (seen.First < seen.End) TReader.AddValues(seen, scratch, job->ValueDim, ValueForm.Floats, row, job->GqaRatio);
        }
    }

    /// <summary>Adds p · v of keys [key, end) for the item's tokens [first, endToken) from panels, when not all of V is finite.</summary>
    /// <returns>False when all of it is, and nothing was added.</returns>
    private static bool AddSeenValues(
        PackedJob* packed, in PackedScratch stretch, in AttentionItem work, in PackedPair pair, int index, int key, int end, int first, int endToken)
    {
        AttentionJob* job = &packed->Attention;
        ref readonly AttentionScratch scratch = ref stretch.Attention;

        // Products take keys in pairs.
        int slices = scratch.ValueStride / Panel.Width, count = (end - key + 1) & ~1;
        bool finite = true;
        for (int slice = 0; slice < slices; slice++) finite &= IsFinite(packed->ValuePanel(pair, index, slice), count * Panel.Width);
        if (finite) return false;
        for (int token = first; token < endToken; token++)
        {
            int position = work.FirstPosition + token;
            int from = Math.Max(key, FirstVisible(*job, position)) - key, to = Math.Min(end, EndVisible(*job, position, work.NumKeys)) - key;
            long row = (long)token * job->GqaRatio;
            for (int tile = 0; tile < to; tile += Panel.Width)
            {
                for (int slice = 0; slice < slices; slice++)
                {
                    float* panel = packed->ValuePanel(pair, index + (tile / Panel.Width), slice);
                    for (int j = 0; j < Panel.Width; j++) scratch.ValueRows[j] = (byte*)(panel + (j * Panel.Width));
                    ValueTile<TSimd, TVector, F32Rows<TSimd, TVector>>.MultiplyAdd(
                        job->GqaRatio, Math.Max(0, from - tile), Math.Min(Panel.Width, to - tile), stretch.Scores + (row * StretchLen) + tile, StretchLen, scratch.ValueRows,
                        new CacheAhead { Rows = scratch.ValueRows }, Panel.Width, scratch.Totals + (row * scratch.ValueStride) + (slice * Panel.Width), scratch.ValueStride);
                }
            }
        }

        return true;
    }

    /// <summary>False when there is an infinity or a NaN among some floats.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static bool IsFinite(float* values, int count)
    {
        // x · 0 is 0 of either sign, or NaN, whose bits stay.
        TVector zero = TSimd.Zero, any = zero;
        int i = 0;
        for (; i + TSimd.Count <= count; i += TSimd.Count) any = TSimd.Or(any, TSimd.Multiply(TSimd.Load(values + i), zero));
        bool finite = TSimd.Sum(any) == 0;
        for (; i < count; i++) finite &= float.IsFinite(values[i]);
        return finite;
    }
}
