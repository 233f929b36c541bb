using Rocm.Inference.KvCache;
using Xunit;
using static Rocm.Inference.Tests.KvCache.CacheBench;

namespace Rocm.Inference.Tests.KvCache;

public sealed class WindowGroupTests
{
    [Theory]
    [InlineData(1, 8, 2)]
    [InlineData(4, 8, 1)]
    [InlineData(5, 8, 1)]
    [InlineData(6, 8, 0)]
    [InlineData(5, 7, 0)]
    [InlineData(8, 8, 0)]
    [InlineData(100, 8, 0)]
    public void A_block_expires_when_no_later_token_sees_any_of_it(int window, int numComputed, int expected)
    {
        var group = new KvCacheGroup(0, 4, window);

        // By the mask itself: the token at position p sees keys j with 0 <= p - j < W.
        int byMask = 0;
        while ((byMask + 1) * 4 <= numComputed && Enumerable.Range(byMask * 4, 4).All(j => numComputed - j >= window)) byMask++;

        Assert.Equal(expected, byMask);
        Assert.Equal(expected, group.NumExpiredBlocks(numComputed));
    }

    [Fact]
    public void Blocks_that_slide_out_of_the_window_come_back_in_mid_request()
    {
        var cache = new CacheBench(32, new KvCacheGroup(0, 4, slidingWindow: 6));
        RequestBlocks request = cache.Compute(Tokens(16));
        Assert.Equal(27, cache.NumFree);

        Assert.True(cache.Manager.TryAllocate(request, 16, 1));
        cache.Manager.CheckIntegrity();

        // Position 16 sees from 11 on: blocks 0 and 1 are gone, block 4 is new.
        Assert.Equal([0, 0], request.Table(0)[..2].ToArray());
        Assert.DoesNotContain(0, request.Table(0)[2..].ToArray());
        Assert.Equal(28, cache.NumFree);
        cache.Free(request);
        Assert.Equal(31, cache.NumFree);
    }

    [Fact]
    public void A_long_generation_within_a_window_owns_a_bounded_number_of_blocks()
    {
        var group = new KvCacheGroup(0, 4, slidingWindow: 10);
        var cache = new CacheBench(32, group);
        RequestBlocks request = cache.Compute(Tokens(1));
        int[] tokens = Tokens(300);
        for (int computed = 1; computed < 300; computed++)
        {
            Assert.True(cache.Manager.TryAllocate(request, computed, 1));
            cache.Manager.CacheComputed(request, tokens.AsSpan(0, computed + 1));
            Assert.True(cache.Manager.Pool.NumUsedBlocks <= group.PeakBlocks(300, 1));
            cache.Manager.CheckIntegrity();
        }
    }

    [Fact]
    public void Expiring_blocks_count_as_free_for_the_step_that_expires_them()
    {
        var cache = new CacheBench(6, new KvCacheGroup(0, 4, slidingWindow: 4));
        RequestBlocks request = cache.Compute(Tokens(20));
        Assert.Equal(0, cache.NumFree);

        Assert.True(cache.Manager.TryAllocate(request, 20, 13));

        Assert.Equal(0, cache.NumFree);
        cache.Manager.CheckIntegrity();
    }

    [Fact]
    public void Expiring_blocks_that_another_request_still_uses_do_not_count_as_free()
    {
        var cache = new CacheBench(7, new KvCacheGroup(0, 4, slidingWindow: 8));
        RequestBlocks first = cache.Compute(Tokens(12));
        RequestBlocks second = cache.Compute(Tokens(13));
        Assert.Equal(first.Table(0)[1..3], second.Table(0)[1..3]);
        RequestBlocks hog = cache.Occupy(0);

        // Block 1 expires at position 15, but the first request, still at 12, sees it.
        Assert.False(cache.Manager.TryAllocate(second, 15, 2));
        cache.Free(first);
        Assert.True(cache.Manager.TryAllocate(second, 15, 2));
        cache.Manager.CheckIntegrity();
        cache.Free(hog);
    }

    [Fact]
    public void A_failed_allocation_changes_nothing_not_even_expired_blocks()
    {
        var cache = new CacheBench(6, new KvCacheGroup(0, 4, slidingWindow: 4));
        RequestBlocks request = cache.Compute(Tokens(20));
        int[] before = request.Table(0).ToArray();

        Assert.False(cache.Manager.TryAllocate(request, 20, 17));

        Assert.Equal(before, request.Table(0).ToArray());
        Assert.Equal(0, cache.NumFree);
        cache.Manager.CheckIntegrity();
    }

    [Fact]
    public void A_window_needs_only_the_last_blocks_before_the_hit()
    {
        var cache = new CacheBench(12, new KvCacheGroup(0, 4, slidingWindow: 6));
        int[] tokens = Tokens(25);
        RequestBlocks request = cache.Compute(tokens[..24]);
        Assert.True(cache.Manager.TryAllocate(request, 24, 1));
        RequestBlocks hog = cache.Occupy(0);
        cache.Free(request);

        // Blocks 0 to 3 were evicted; 4 and 5 hold all that position 24 can see.
        PrefixHit hit = cache.Manager.FindPrefix(cache.Manager.CreateRequest(), tokens);

        Assert.Equal(24, hit.NumTokens);
        Assert.Equal([0, 0, 0, 0], hit.Blocks(0)[..4].ToArray());
        Assert.DoesNotContain(0, hit.Blocks(0)[4..].ToArray());
        cache.Free(hog);
    }

    [Fact]
    public void A_shorter_run_counts_when_it_reaches_the_first_block()
    {
        var cache = new CacheBench(32, new KvCacheGroup(0, 4, slidingWindow: 100));
        cache.ComputeAndFree(Tokens(9));

        Assert.Equal(8, cache.HitLength(Tokens(30)));
    }

    [Fact]
    public void A_run_shorter_than_the_window_that_does_not_reach_the_first_block_is_no_hit()
    {
        var cache = new CacheBench(12, new KvCacheGroup(0, 4, slidingWindow: 9));
        int[] tokens = Tokens(13);
        RequestBlocks request = cache.Compute(tokens);
        Assert.True(cache.Manager.TryAllocate(request, 13, 1));
        RequestBlocks hog = cache.Occupy(0);
        cache.Free(request);

        // Only block 0 expired (position 13 sees from 5 on). Blocks 1 and 2 are a whole window, so 12 is a hit, but 8 is none.
        Assert.Equal(12, cache.HitLength(tokens));
        Assert.Equal(0, cache.HitLength(tokens[..12]));
        cache.Free(hog);
    }

    [Fact]
    public void A_window_of_one_token_needs_no_cached_block_at_all()
    {
        var cache = new CacheBench(32, new KvCacheGroup(0, 4, slidingWindow: 1));

        Assert.Equal(8, cache.HitLength(Tokens(9)));
        RequestBlocks request = cache.Compute(Tokens(9));
        Assert.Equal(1, cache.Manager.Pool.NumUsedBlocks);
        cache.Free(request);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(13)]
    public void No_step_owns_more_blocks_than_the_peak_promises(int window)
    {
        var group = new KvCacheGroup(0, 4, window);
        for (int step = 1; step <= 9; step++)
        {
            int worst = 0;
            for (int start = 0; start < 60; start++)
            {
                int first = Math.Max(0, start - window + 1) / 4;
                worst = Math.Max(worst, (start + step - 1) / 4 - first + 1);
            }

            Assert.Equal(worst, group.PeakBlocks(1000, step));
        }
    }
}
