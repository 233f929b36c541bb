using Rocm.Inference.Engine;
using Rocm.Inference.KvCache;
using Xunit;

namespace Rocm.Inference.Tests.Engine;

public sealed class KvMemoryPlanTests
{
    private static readonly KvMemoryPlan.Needs Roomy = new()
    {
        Groups = [new KvCacheGroup(0, 16)],
        BlockBytes = 1000,
        AvailableBytes = 10_000_000,
        WeightBytes = 1_000_000,
        ScratchBytes = 1_000_000,
        Fraction = 0.5,
        WantedModelLen = 1024,
        MaxNumRequests = 4,
        MaxNumBatchedTokens = 512,
    };

    [Fact]
    public void The_cache_is_no_larger_than_all_requests_at_full_length_need()
    {
        KvMemoryPlan plan = KvMemoryPlan.Make(Roomy);

        Assert.Equal((4 * 64) + 1, plan.NumBlocks);
        Assert.Equal(1024, plan.MaxModelLen);
        Assert.Equal(plan.NumBlocks * 1000L, plan.CacheBytes);
    }

    [Fact]
    public void The_cache_takes_its_share_of_what_weights_and_scratch_leave()
    {
        KvMemoryPlan plan = KvMemoryPlan.Make(Roomy with { MaxNumRequests = 1000 });

        Assert.Equal(4000, plan.NumBlocks);
    }

    [Fact]
    public void A_length_that_nobody_asked_for_is_reduced_to_what_fits()
    {
        KvMemoryPlan plan = KvMemoryPlan.Make(Roomy with { WantedModelLen = 1_000_000 });

        Assert.Equal(3999 * 16, plan.MaxModelLen);
    }

    [Fact]
    public void A_length_that_was_asked_for_is_met_or_refused_with_the_value_that_would_fit()
    {
        KvMemoryPlan.Needs needs = Roomy with { WantedModelLen = 1_000_000, IsModelLenExplicit = true };

        var error = Assert.Throws<DeviceMemoryException>(() => KvMemoryPlan.Make(needs));

        Assert.Contains($"lower MaxModelLen to at most {3999 * 16}", error.Message, StringComparison.Ordinal);
        Assert.Equal(62_501_000, error.RequestedBytes);
        Assert.Equal(4_000_000, error.AvailableBytes);
    }

    [Fact]
    public void An_explicit_size_wins_over_the_share_and_must_exist()
    {
        Assert.Equal(100, KvMemoryPlan.Make(Roomy with { CacheBytes = 100_000 }).NumBlocks);

        var error = Assert.Throws<DeviceMemoryException>(() => KvMemoryPlan.Make(Roomy with { CacheBytes = 9_000_000 }));
        Assert.Contains("KvCacheMemoryBytes", error.Message, StringComparison.Ordinal);
        Assert.Contains("8 MB", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Weights_that_leave_no_room_are_refused_with_the_numbers()
    {
        var error = Assert.Throws<DeviceMemoryException>(() => KvMemoryPlan.Make(Roomy with { WeightBytes = 9_500_000 }));

        Assert.Contains("9.5 MB", error.Message, StringComparison.Ordinal);
        Assert.Contains("10 MB is available", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Window_groups_need_blocks_for_their_window_only()
    {
        KvMemoryPlan plan = KvMemoryPlan.Make(Roomy with
        {
            Groups = [new KvCacheGroup(0, 16), new KvCacheGroup(1, 16, slidingWindow: 128)],
            WantedModelLen = 100_000,
            MaxNumRequests = 1,
            BlockBytes = 600,
        });

        // 6250 blocks for the full group, and ⌈(128 − 1 + 512 − 1) / 16⌉ + 1 for the other.
        Assert.Equal(6250 + 41 + 1, plan.NumBlocks);
    }
}
