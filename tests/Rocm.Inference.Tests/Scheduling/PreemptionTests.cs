using Rocm.Inference.KvCache;
using Rocm.Inference.Scheduling;
using Xunit;

namespace Rocm.Inference.Tests.Scheduling;

public sealed class PreemptionTests
{
    private static readonly SchedulerOptions Options = new()
    {
        MaxNumBatchedTokens = 100, MaxNumRequests = 8, MaxModelLen = 1000, EnablePrefixCaching = false,
    };

    [Fact]
    public void The_last_admitted_request_is_preempted_first_and_the_older_ones_go_on()
    {
        // 9 blocks of 4; three prompts that fill 3 blocks each: the first new block is one too many.
        var bench = new SchedulerBench(Options, numBlocks: 10);
        Request a = bench.Add("a", 12, 20);
        bench.Add("b", 12, 20);
        Request c = bench.Add("c", 12, 20);
        Assert.Equal("a:0+12* b:0+12* c:0+12*", bench.Step());

        ScheduledStep step = bench.Schedule();

        Assert.Equal("a:12+1* b:12+1*", SchedulerBench.Describe(step));
        Assert.Equal([c], step.Preempted.ToArray());
        Assert.Equal((RequestStatus.Preempted, 0, 13, 1), (c.Status, c.NumComputedTokens, c.NumTokens, c.NumPreemptions));
        Assert.False(c.Blocks.IsAdmitted);
        Assert.Equal(RequestStatus.Running, a.Status);
        Assert.Equal(1, bench.Scheduler.NumPreemptions);
        bench.Complete(step);
    }

    [Fact]
    public void Preempted_requests_come_back_in_their_old_order_before_those_that_never_ran()
    {
        var bench = new SchedulerBench(Options, numBlocks: 10);
        Request a = bench.Add("a", 12, 24);
        bench.Add("b", 12, 3);
        bench.Add("c", 12, 3);
        bench.Step();
        bench.Add("d", 12, 3);
        var admitted = new List<string>();
        while (bench.Scheduler.HasWork)
        {
            ScheduledStep step = bench.Schedule();
            foreach (Request request in step.Admitted) admitted.Add(request.Id);
            bench.Complete(step);
        }

        Assert.Equal(["c", "d"], admitted);
        Assert.Equal(24, a.NumGeneratedTokens);
        Assert.Equal(0, a.NumPreemptions);
        bench.AssertAllReleased();
    }

    [Fact]
    public void A_request_that_is_the_last_itself_is_preempted_itself()
    {
        var bench = new SchedulerBench(Options, numBlocks: 8);
        bench.Add("a", 11, 10);
        Request b = bench.Add("b", 16, 8);
        Assert.Equal("a:0+11* b:0+16*", bench.Step());

        ScheduledStep step = bench.Schedule();

        Assert.Equal("a:11+1*", SchedulerBench.Describe(step));
        Assert.Equal([b], step.Preempted.ToArray());
        bench.Complete(step);
    }

    [Fact]
    public void Nothing_is_admitted_in_a_step_that_preempted()
    {
        var bench = new SchedulerBench(Options, numBlocks: 10);
        bench.Add("a", 12, 20);
        bench.Add("b", 12, 20);
        bench.Add("c", 12, 20);
        bench.Step();
        bench.Add("tiny and urgent", 1, 1, priority: -1);

        ScheduledStep step = bench.Schedule();
        Assert.Equal(1, step.Preempted.Length);
        Assert.Equal(0, step.Admitted.Length);
        bench.Complete(step);
        Assert.Equal("a:13+1* b:13+1* tiny and urgent:0+1*", bench.Step());
    }

    [Fact]
    public void The_victim_is_the_least_urgent_whatever_its_arrival()
    {
        var bench = new SchedulerBench(Options, numBlocks: 10);
        Request low = bench.Add("low", 12, 20, priority: 5);
        bench.Add("b", 12, 20);
        bench.Add("c", 12, 20);
        bench.Step();

        ScheduledStep step = bench.Schedule();

        Assert.Equal([low], step.Preempted.ToArray());
        Assert.Equal("b:12+1* c:12+1*", SchedulerBench.Describe(step));
        bench.Complete(step);
    }

    [Fact]
    public void A_preempted_request_recomputes_all_its_tokens_and_gets_on_where_it_was()
    {
        var bench = new SchedulerBench(Options, numBlocks: 8);
        Request a = bench.Add("a", 12, 4);
        Request b = bench.Add("b", 12, 10);
        bench.Step();
        string rows;
        do rows = bench.Step();
        while (b.Status == RequestStatus.Running);
        Assert.DoesNotContain("b:", rows, StringComparison.Ordinal);
        int[] before = b.Tokens.ToArray();
        while (!a.IsFinished) bench.Step();

        Assert.Equal($"b:0+{before.Length}*", bench.Step());
        while (bench.Scheduler.HasWork) bench.Step();

        Assert.Equal(before, b.Tokens[..before.Length].ToArray());
        Assert.Equal(10, b.NumGeneratedTokens);
        bench.AssertAllReleased();
    }

    [Fact]
    public void With_prefix_caching_a_preempted_request_finds_most_of_its_blocks_again()
    {
        var bench = new SchedulerBench(Options with { EnablePrefixCaching = true }, numBlocks: 8);
        Request a = bench.Add("a", 12, 4);
        Request b = bench.Add("b", 12, 10);
        while (!a.IsFinished) bench.Step();
        Assert.Equal(1, b.NumPreemptions);

        Assert.StartsWith("b:12+", bench.Step(), StringComparison.Ordinal);
        Assert.Equal(0, b.NumCachedTokens);
        Assert.Equal(24, bench.Scheduler.Cache.Statistics.NumQueriedTokens);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Two_requests_that_cannot_fit_together_both_end(bool reserve)
    {
        var bench = new SchedulerBench(Options with { ReserveFullPrompt = reserve }, numBlocks: 11);
        Request a = bench.Add("a", 20, 20);
        Request b = bench.Add("b", 20, 20);
        int steps = 0;
        while (bench.Scheduler.HasWork)
        {
            bench.Step();
            Assert.True(++steps < 100, "The two requests preempt one another for ever.");
        }

        Assert.Equal((20, 20), (a.NumGeneratedTokens, b.NumGeneratedTokens));
        Assert.Equal(0, a.NumPreemptions);
        bench.AssertAllReleased();
    }

    [Fact]
    public void A_request_is_admitted_only_when_its_whole_prompt_fits_unless_told_otherwise()
    {
        var reserving = new SchedulerBench(Options with { MaxNumBatchedTokens = 40 }, numBlocks: 31);
        var eager = new SchedulerBench(Options with { MaxNumBatchedTokens = 40, ReserveFullPrompt = false }, numBlocks: 31);
        foreach (SchedulerBench bench in (SchedulerBench[])[reserving, eager])
        {
            bench.Add("a", 39, 20);
            Assert.Equal("a:0+39*", bench.Step());
            bench.Add("b", 100, 5);
        }

        Assert.Equal("a:39+1*", reserving.Step());
        Assert.Equal("a:39+1* b:0+39", eager.Step());
    }

    [Fact]
    public void The_watermark_keeps_blocks_free_for_those_who_run_but_not_from_a_request_alone()
    {
        var bench = new SchedulerBench(Options with { Watermark = 0.3 }, numBlocks: 11);
        Request a = bench.Add("a", 32, 5);
        Assert.Equal("a:0+32*", bench.Step());
        bench.Add("b", 1, 5);

        // 1 block is free, 3 must stay free.
        Assert.Equal("a:32+1*", bench.Step(a));
        Assert.Equal("b:0+1*", bench.Step());
    }

    [Fact]
    public void A_request_that_can_never_fit_fails_alone_with_the_numbers()
    {
        var bench = new SchedulerBench(Options, numBlocks: 11);
        bench.Add("a", 10, 5);

        var error = Assert.Throws<KvCacheCapacityException>(() => bench.Add("b", 30, 12));

        Assert.Equal((41, 40), (error.NeededTokens, error.AvailableTokens));
        Assert.Contains("41 tokens", error.Message, StringComparison.Ordinal);
        Assert.Contains("at most 40 tokens", error.Message, StringComparison.Ordinal);
        Assert.Equal(1, bench.Scheduler.NumWaiting);
        Assert.Equal("a:0+10*", bench.Step());
    }

    [Fact]
    public void A_request_that_just_fits_runs_to_its_end_alone()
    {
        var bench = new SchedulerBench(Options, numBlocks: 11);
        Assert.Equal(41, bench.Scheduler.MaxTokensPerRequest);
        Request a = bench.Add("a", 30, 11);
        while (bench.Scheduler.HasWork) bench.Step();

        Assert.Equal((41, 0), (a.NumTokens, a.NumPreemptions));
        bench.AssertAllReleased();
    }

    [Fact]
    public void A_window_lets_a_request_run_that_is_longer_than_the_whole_pool()
    {
        var bench = new SchedulerBench(Options with { MaxNumBatchedTokens = 8 }, 8, new KvCacheGroup(0, 4, 10));
        Request a = bench.Add("a", 300, 300);
        int steps = 0;
        while (bench.Scheduler.HasWork && steps++ < 1000) bench.Step();

        Assert.Equal((300, 0), (a.NumGeneratedTokens, a.NumPreemptions));
        bench.AssertAllReleased();
    }

    [Fact]
    public void Lookahead_slots_are_allocated_beyond_the_tokens_of_a_step()
    {
        var bench = new SchedulerBench(Options with { NumLookaheadTokens = 5 }, numBlocks: 10);
        Request a = bench.Add("a", 3, 5);
        bench.Step();

        Assert.Equal(2, a.Blocks.Table(0).Length);
        Assert.Equal(9 * 4 - 5 + 1, bench.Scheduler.MaxTokensPerRequest);
    }
}
