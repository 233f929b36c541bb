using Rocm.Inference.KvCache;
using Rocm.Inference.Scheduling;

namespace Rocm.Inference.Tests.Scheduling;

/// <summary>
/// A device that stores, instead of keys and values, a digest of what they depend on: all tokens up to the position, the salt, the
/// position and the layer group. Before it "computes" a row it checks that every slot the row may look at holds the row's own digest,
/// and it samples from the digest it read, so that a wrongly shared, early freed or stale block is seen at once.
/// </summary>
internal sealed class SimulatedCacheDevice(KvCacheManager cache, int vocabulary)
{
    private readonly ulong[][] _slots = [.. Enumerable.Range(0, cache.Pool.NumBlocks).Select(_ => new ulong[MaxBlockSize(cache)])];

    /// <summary>Runs a step; returns one token per row.</summary>
    public int[] Run(ScheduledStep step)
    {
        // As on a real device, a layer stores the keys and values of all rows before any row attends.
        foreach (ScheduledRow row in step.Rows) Store(row);
        var sampled = new int[step.Rows.Length];
        for (int i = 0; i < sampled.Length; i++) sampled[i] = Attend(step.Rows[i]);
        return sampled;
    }

    /// <summary>The token that follows <paramref name="tokens"/>, computed without any cache.</summary>
    public int NextToken(ReadOnlySpan<int> tokens, string? salt)
    {
        ulong digest = Seed(salt);
        foreach (int token in tokens) digest = Mix(digest, (ulong)(uint)token);
        return Sample(Slot(digest, 0));
    }

    private static int MaxBlockSize(KvCacheManager cache)
    {
        int max = 0;
        foreach (KvCacheGroup group in cache.Groups) max = Math.Max(max, group.BlockSize);
        return max;
    }

    private void Store(ScheduledRow row)
    {
        ulong[] digests = Digests(row.Request, row.SeqLen);
        foreach (KvCacheGroup group in cache.Groups)
        {
            ReadOnlySpan<int> table = row.Request.Blocks.Table(group.Index);
            for (int position = row.PrefixLen; position < row.SeqLen; position++)
            {
                int block = table[position / group.BlockSize];
                if (block == BlockPool.NullBlock) throw new InvalidOperationException($"{row.Request.Id} stores position {position} into the null block.");
                if (cache.Pool.RefCount(block) != 1 || cache.Pool.IsCached(block))
                {
                    throw new InvalidOperationException($"{row.Request.Id} stores position {position} into block {block}, which is shared or cached.");
                }

                _slots[block][position % group.BlockSize] = Slot(digests[position], group.Index);
            }
        }
    }

    private int Attend(ScheduledRow row)
    {
        ulong[] digests = Digests(row.Request, row.SeqLen);
        ulong last = 0;
        foreach (KvCacheGroup group in cache.Groups)
        {
            ReadOnlySpan<int> table = row.Request.Blocks.Table(group.Index);
            int first = group.SlidingWindow is { } window ? Math.Max(0, row.PrefixLen - window + 1) : 0;
            for (int position = row.SeqLen - 1; position >= first; position--)
            {
                int block = table[position / group.BlockSize];
                ulong found = _slots[block][position % group.BlockSize];
                if (block == BlockPool.NullBlock || found != Slot(digests[position], group.Index))
                {
                    throw new InvalidOperationException(
                        $"{row.Request.Id} ({row.PrefixLen}+{row.QueryLen}) finds foreign content at position {position}, group {group.Index}, block {block}.");
                }

                if (group.Index == 0 && position == row.SeqLen - 1) last = found;
            }
        }

        return Sample(last);
    }

    private static ulong[] Digests(Request request, int count)
    {
        var digests = new ulong[count];
        ulong digest = Seed(request.CacheSalt);
        for (int i = 0; i < count; i++) digests[i] = digest = Mix(digest, (ulong)(uint)request.Tokens[i]);
        return digests;
    }

    private static ulong Seed(string? salt)
    {
        ulong seed = 0x9E3779B97F4A7C15;
        foreach (char c in salt ?? "") seed = Mix(seed, c);
        return seed;
    }

    private static ulong Slot(ulong digest, int group) => Mix(digest, (ulong)group + 0xABCDEF);

    private static ulong Mix(ulong a, ulong b)
    {
        ulong x = (a ^ b) * 0xBF58476D1CE4E5B9;
        x = (x ^ (x >> 29)) * 0x94D049BB133111EB;
        return x ^ (x >> 32);
    }

    private int Sample(ulong digest) => (int)(digest % (ulong)vocabulary);
}
