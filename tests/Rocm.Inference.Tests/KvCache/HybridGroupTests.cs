using Rocm.Inference.KvCache;
using Xunit;
using static Rocm.Inference.Tests.KvCache.CacheBench;

namespace Rocm.Inference.Tests.KvCache;

public sealed class HybridGroupTests
{
    [Fact]
    public void All_groups_draw_from_one_pool_and_own_different_blocks()
    {
        var cache = new CacheBench(32, new KvCacheGroup(0, 4), new KvCacheGroup(1, 4, 8), new KvCacheGroup(2, 8));
        RequestBlocks request = cache.Compute(Tokens(16));

        Assert.Equal([4, 4, 2], [request.Table(0).Length, request.Table(1).Length, request.Table(2).Length]);
        int[] all = [.. request.Table(0), .. request.Table(1), .. request.Table(2)];
        Assert.Equal(10, all.Distinct().Count());
        Assert.Equal(21, cache.NumFree);
    }

    [Fact]
    public void Only_the_window_group_gives_blocks_back()
    {
        var cache = new CacheBench(32, new KvCacheGroup(0, 4), new KvCacheGroup(1, 4, 4));
        RequestBlocks request = cache.Compute(Tokens(16));

        Assert.True(cache.Manager.TryAllocate(request, 16, 1));

        Assert.DoesNotContain(0, request.Table(0).ToArray());
        Assert.Equal([0, 0, 0], request.Table(1)[..3].ToArray());
        cache.Manager.CheckIntegrity();
    }

    [Fact]
    public void The_common_length_is_cut_to_what_the_full_group_has()
    {
        var cache = new CacheBench(32, new KvCacheGroup(0, 4), new KvCacheGroup(1, 4, 5));
        cache.ComputeAndFree(Tokens(20));
        Assert.Equal(20, cache.HitLength(Tokens(24)));

        EvictAt(cache, Tokens(24), group: 0, index: 3);

        // The full group has 12 tokens; the window group must then show blocks around 12, not around 20.
        Assert.Equal(12, cache.HitLength(Tokens(24)));
    }

    [Fact]
    public void The_common_length_goes_back_and_forth_until_no_group_objects()
    {
        var cache = new CacheBench(40, new KvCacheGroup(0, 4), new KvCacheGroup(1, 4, 5), new KvCacheGroup(2, 4, 9));
        cache.ComputeAndFree(Tokens(32));
        Assert.Equal(32, cache.HitLength(Tokens(33)));

        EvictAt(cache, Tokens(33), group: 0, index: 6);
        Assert.Equal(24, cache.HitLength(Tokens(33)));
        EvictAt(cache, Tokens(33), group: 1, index: 5);
        Assert.Equal(20, cache.HitLength(Tokens(33)));

        // Group 2 needs two blocks in a row: without block 4 it offers 16 (blocks 2 and 3). Group 1, asked again, needs block 3, which it has.
        EvictAt(cache, Tokens(33), group: 2, index: 4);
        Assert.Equal(16, cache.HitLength(Tokens(33)));
        EvictAt(cache, Tokens(33), group: 1, index: 3);

        // Group 1 then offers 12, and group 2 has blocks 1 and 2.
        Assert.Equal(12, cache.HitLength(Tokens(33)));
    }

    [Fact]
    public void Groups_of_different_block_sizes_agree_on_a_common_multiple()
    {
        var cache = new CacheBench(60, new KvCacheGroup(0, 4), new KvCacheGroup(1, 6), new KvCacheGroup(2, 2, 3));
        cache.ComputeAndFree(Tokens(40));

        Assert.Equal(36, cache.HitLength(Tokens(40)));
        Assert.Equal(24, cache.HitLength(Tokens(36)));
        EvictAt(cache, Tokens(40), group: 1, index: 4);
        Assert.Equal(24, cache.HitLength(Tokens(40)));
        EvictAt(cache, Tokens(40), group: 2, index: 11);
        Assert.Equal(12, cache.HitLength(Tokens(40)));
    }

    [Fact]
    public void What_can_be_held_is_what_the_groups_need_together()
    {
        var cache = new CacheBench(31, new KvCacheGroup(0, 4), new KvCacheGroup(1, 4, 9));

        // The window needs at most ceil((8 + 8 - 1) / 4) + 1 = 5 blocks in a step of 8, so 25 blocks remain for 100 tokens.
        Assert.Equal(100, cache.Manager.MaxTokensPossible(8));
        Assert.Equal(30, cache.Manager.NumBlocksNeeded(100, 8));
        Assert.Equal(31, cache.Manager.NumBlocksNeeded(101, 8));
        Assert.Equal(int.MaxValue, new CacheBench(31, new KvCacheGroup(0, 4, 9)).Manager.MaxTokensPossible(8));
    }

    /// <summary>Makes one cached free block unfindable by taking everything up to it from the free queue, and giving the rest its place back.</summary>
    private static void EvictAt(CacheBench cache, int[] tokens, int group, int index)
    {
        RequestBlocks probe = cache.Manager.CreateRequest();
        cache.Manager.FindPrefix(probe, tokens);
        Assert.True(cache.Manager.Pool.TryGetCached(probe.ChainOf(group)[index], group, out int target));

        // Hold all free blocks but the target, take the target, then let go of all: the pool's own rules do the eviction.
        BlockPool pool = cache.Manager.Pool;
        var free = new List<int>();
        for (int block = 1; block < pool.NumBlocks; block++)
        {
            if (pool.RefCount(block) == 0 && block != target) free.Add(block);
        }

        foreach (int block in free) pool.Touch(block);
        var table = new BlockTable();
        Assert.True(pool.TryAllocate(1, table));
        Assert.Equal(target, table[0]);
        pool.Free(target);
        foreach (int block in free) pool.Free(block);
        cache.Manager.CheckIntegrity();
    }
}
