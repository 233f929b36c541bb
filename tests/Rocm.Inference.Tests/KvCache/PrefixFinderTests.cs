using Rocm.Inference.KvCache;
using Xunit;

namespace Rocm.Inference.Tests.KvCache;

public sealed class PrefixFinderTests(ITestOutputHelper output)
{
    /// <summary>The definition, tried for every length from the longest down: all a group needs before that length is cached.</summary>
    [Fact]
    public void The_hit_is_the_longest_one_that_the_definition_allows()
    {
        int seed = Environment.TickCount & 0xFFFFFFF;
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        int partial = 0;
        for (int round = 0; round < 2000; round++)
        {
            KvCacheGroup[] groups = RandomGroups(random);
            var manager = new KvCacheManager(300, groups, new BlockHash(1, 2, 3, 4));
            int[] tokens = CacheBench.Tokens(random.Next(1, 60));
            RequestBlocks request = manager.CreateRequest();
            CacheSome(manager, request, tokens, random);

            PrefixHit hit = manager.FindPrefix(request, tokens);

            int expected = LongestByDefinition(manager, request, tokens.Length);
            Assert.True(expected == hit.NumTokens, $"Seed {seed}, round {round}: expected {expected}, found {hit.NumTokens}.");
            if (expected > 0 && expected < tokens.Length - 12) partial++;
            foreach (KvCacheGroup group in groups)
            {
                for (int i = 0; i < expected / group.BlockSize; i++)
                {
                    bool needed = i >= expected / group.BlockSize - Needed(group, expected);
                    Assert.Equal(needed, hit.Blocks(group.Index)[i] != BlockPool.NullBlock);
                    if (needed) Assert.True(manager.Pool.IsCachedAs(hit.Blocks(group.Index)[i], request.ChainOf(group.Index)[i], group.Index));
                }
            }
        }

        Assert.True(partial > 100, $"Only {partial} hits were partial.");
    }

    private static KvCacheGroup[] RandomGroups(Random random)
    {
        int[] sizes = [1, 2, 3, 4, 4, 4];
        return [.. Enumerable.Range(0, random.Next(1, 4)).Select(i =>
            new KvCacheGroup(i, sizes[random.Next(sizes.Length)], random.Next(3) == 0 ? null : random.Next(1, 20)))];
    }

    /// <summary>Caches each block of each group by chance, so that any pattern of holes comes up.</summary>
    private static void CacheSome(KvCacheManager manager, RequestBlocks request, int[] tokens, Random random)
    {
        double share = 0.5 + random.NextDouble() / 2;
        manager.FindPrefix(request, tokens);
        foreach (KvCacheGroup group in manager.Groups)
        {
            var table = new BlockTable();
            BlockHashChain chain = request.ChainOf(group.Index);
            Assert.True(manager.Pool.TryAllocate(chain.Count, table));
            for (int i = 0; i < chain.Count; i++)
            {
                if (random.NextDouble() < share) manager.Pool.AddToCache(table[i], chain[i], group.Index);
            }
        }
    }

    private static int LongestByDefinition(KvCacheManager manager, RequestBlocks request, int numTokens)
    {
        for (int length = numTokens - 1; length > 0; length--)
        {
            bool hit = true;
            foreach (KvCacheGroup group in manager.Groups) hit &= length % group.BlockSize == 0;
            foreach (KvCacheGroup group in manager.Groups)
            {
                for (int back = 1; hit && back <= Needed(group, length); back++)
                {
                    hit = manager.Pool.TryGetCached(request.ChainOf(group.Index)[length / group.BlockSize - back], group.Index, out _);
                }
            }

            if (hit) return length;
        }

        return 0;
    }

    /// <summary>Blocks before <paramref name="length"/> in which the token there sees a key.</summary>
    private static int Needed(KvCacheGroup group, int length)
    {
        int firstSeen = group.SlidingWindow is { } window ? Math.Max(0, length - window + 1) : 0;
        return (length + group.BlockSize - 1) / group.BlockSize - firstSeen / group.BlockSize;
    }
}
