using Rocm.Inference.KvCache;
using Xunit;
using static Rocm.Inference.Tests.KvCache.CacheBench;

namespace Rocm.Inference.Tests.KvCache;

public sealed class PrefixLookupTests
{
    private static readonly KvCacheGroup Full = new(0, 4);

    [Theory]
    [InlineData(3, 0)]
    [InlineData(4, 0)]
    [InlineData(5, 4)]
    [InlineData(8, 4)]
    [InlineData(9, 8)]
    [InlineData(16, 12)]
    public void A_full_hit_recomputes_the_last_block_when_it_is_full_and_the_tail_otherwise(int numTokens, int expected)
    {
        var cache = new CacheBench(32, Full);
        cache.ComputeAndFree(Tokens(numTokens));

        Assert.Equal(expected, cache.HitLength(Tokens(numTokens)));
    }

    [Fact]
    public void Full_attention_hits_left_to_right_up_to_the_first_miss()
    {
        var cache = new CacheBench(32, Full);
        cache.ComputeAndFree(Tokens(20));
        int[] other = Tokens(20);
        other[9] = 1;

        Assert.Equal(8, cache.HitLength(other));
    }

    [Fact]
    public void Blocks_are_found_only_after_their_tokens_are_computed()
    {
        var cache = new CacheBench(32, Full);
        int[] tokens = Tokens(13);
        RequestBlocks request = cache.Manager.CreateRequest();
        Assert.True(cache.Manager.TryAdmit(request, 13, cache.Manager.FindPrefix(request, tokens), 13));
        Assert.Equal(0, cache.HitLength(tokens));

        cache.Manager.CacheComputed(request, tokens.AsSpan(0, 7));
        Assert.Equal(4, cache.HitLength(tokens));
        cache.Manager.CacheComputed(request, tokens);
        Assert.Equal(12, cache.HitLength(tokens));
    }

    [Fact]
    public void A_hit_shares_the_blocks_of_a_running_request()
    {
        var cache = new CacheBench(32, Full);
        RequestBlocks first = cache.Compute(Tokens(10));
        int free = cache.NumFree;

        RequestBlocks second = cache.Compute(Tokens(10));

        Assert.Equal(first.Table(0)[..2], second.Table(0)[..2]);
        Assert.NotEqual(first.Table(0)[2], second.Table(0)[2]);
        Assert.Equal(free - 1, cache.NumFree);
        Assert.Equal(2, cache.Manager.Pool.RefCount(first.Table(0)[0]));
        cache.Free(first);
        cache.Free(second);
        Assert.Equal(31, cache.NumFree);
    }

    [Fact]
    public void Two_requests_that_compute_the_same_tokens_at_once_keep_their_own_blocks()
    {
        var cache = new CacheBench(32, Full);
        int[] tokens = Tokens(8);
        RequestBlocks a = cache.Manager.CreateRequest();
        RequestBlocks b = cache.Manager.CreateRequest();
        Assert.True(cache.Manager.TryAdmit(a, 8, cache.Manager.FindPrefix(a, tokens), 8));
        Assert.True(cache.Manager.TryAdmit(b, 8, cache.Manager.FindPrefix(b, tokens), 8));
        cache.Manager.CacheComputed(a, tokens);
        cache.Manager.CacheComputed(b, tokens);
        cache.Manager.CheckIntegrity();

        Assert.False(a.Table(0).SequenceEqual(b.Table(0)));
        Assert.Equal(4, cache.Manager.Pool.NumCachedBlocks);
        cache.Free(a);
        cache.Free(b);
    }

    [Fact]
    public void Freed_blocks_are_hit_again_and_survive_the_allocation_that_comes_with_the_hit()
    {
        // 4 usable blocks, 3 of them cached and free: the new one must be the fourth, not one of the hit ones.
        var cache = new CacheBench(5, Full);
        cache.ComputeAndFree(Tokens(12));

        RequestBlocks request = cache.Compute(Tokens(15));

        Assert.Equal(4, request.Table(0).ToArray().Distinct().Count());
        Assert.Equal(12, cache.Manager.Statistics.NumHitTokens);
    }

    [Fact]
    public void Hit_blocks_that_are_free_count_as_needed()
    {
        var cache = new CacheBench(5, Full);
        cache.ComputeAndFree(Tokens(12));
        RequestBlocks request = cache.Manager.CreateRequest();

        PrefixHit hit = cache.Manager.FindPrefix(request, Tokens(17));
        Assert.Equal(12, hit.NumTokens);
        Assert.False(cache.Manager.TryAdmit(request, 17, hit, 5));

        Assert.Equal(4, cache.NumFree);
        Assert.False(request.IsAdmitted);
        cache.Manager.CheckIntegrity();
    }

    [Fact]
    public void The_prefix_outlives_the_tail_when_memory_runs_short()
    {
        var cache = new CacheBench(9, Full);
        cache.ComputeAndFree(Tokens(24));

        RequestBlocks hog = cache.Occupy(3);

        Assert.Equal(12, cache.HitLength(Tokens(24)));
        cache.Free(hog);
    }

    [Fact]
    public void Different_salts_share_nothing()
    {
        var cache = new CacheBench(32, Full);
        cache.ComputeAndFree(Tokens(12), "a");

        Assert.Equal(8, cache.HitLength(Tokens(12), "a"));
        Assert.Equal(0, cache.HitLength(Tokens(12), "b"));
        Assert.Equal(0, cache.HitLength(Tokens(12)));
    }

    [Fact]
    public void A_request_that_skips_reads_hits_nothing_but_still_writes()
    {
        var cache = new CacheBench(32, Full);
        cache.ComputeAndFree(Tokens(8));
        RequestBlocks request = cache.Compute(Tokens(16), skipsCacheReads: true);
        cache.Free(request);

        Assert.Equal(8, cache.HitLength(Tokens(9)));
        Assert.Equal(12, cache.HitLength(Tokens(16)));
        Assert.Equal(1, cache.Manager.Statistics.NumRequests);
    }

    [Fact]
    public void Statistics_count_queried_and_hit_tokens_of_admitted_requests()
    {
        var cache = new CacheBench(32, Full);
        cache.ComputeAndFree(Tokens(10));
        cache.HitLength(Tokens(10));
        cache.ComputeAndFree(Tokens(10));

        Assert.Equal(new PrefixCacheStatistics(2, 20, 8), cache.Manager.Statistics);
    }

    [Fact]
    public void A_reset_forgets_prefixes_and_statistics_but_not_while_a_request_runs()
    {
        var cache = new CacheBench(32, Full);
        RequestBlocks request = cache.Compute(Tokens(10));
        Assert.False(cache.Manager.TryResetPrefixCache());
        Assert.Equal(8, cache.HitLength(Tokens(10)));
        cache.Free(request);

        Assert.True(cache.Manager.TryResetPrefixCache());

        Assert.Equal(0, cache.HitLength(Tokens(10)));
        Assert.Equal(default, cache.Manager.Statistics);
    }
}
