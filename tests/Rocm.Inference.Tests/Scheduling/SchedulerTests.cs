using Rocm.Inference.KvCache;
using Rocm.Inference.Scheduling;
using Xunit;

namespace Rocm.Inference.Tests.Scheduling;

public sealed class SchedulerTests
{
    private static readonly SchedulerOptions Options = new() { MaxNumBatchedTokens = 100, MaxNumRequests = 8, MaxModelLen = 1000 };

    [Fact]
    public void A_request_is_prefilled_then_decodes_one_token_a_step_until_its_length()
    {
        var bench = new SchedulerBench(Options);
        Request a = bench.Add("a", 10, maxNewTokens: 3);

        Assert.Equal("a:0+10*", bench.Step());
        Assert.Equal("a:10+1*", bench.Step());
        ScheduledStep last = bench.Schedule();
        Assert.Equal("a:11+1*", SchedulerBench.Describe(last));
        Assert.True(a.IsLastToken);
        bench.Complete(last);

        Assert.Equal([a], last.Finished.ToArray());
        Assert.Equal(RequestStatus.Finished, a.Status);
        Assert.Equal(3, a.NumGeneratedTokens);
        Assert.Equal("", bench.Step());
        bench.AssertAllReleased();
    }

    [Fact]
    public void Prefill_and_decode_share_one_budget()
    {
        var bench = new SchedulerBench(Options);
        bench.Add("a", 10);
        bench.Add("b", 20);
        Assert.Equal("a:0+10* b:0+20*", bench.Step());
        bench.Add("c", 150);
        bench.Add("d", 60);

        ScheduledStep step = bench.Schedule();
        Assert.Equal("a:10+1* b:20+1* c:0+98", SchedulerBench.Describe(step));
        Assert.Equal((100, 98, 98), (step.NumTokens, step.MaxQueryLen, step.MaxSeqLen));
        bench.Complete(step);
        Assert.Equal("a:11+1* b:21+1* c:98+52* d:0+46", bench.Step());
        Assert.Equal("a:12+1* b:22+1* c:150+1* d:46+14*", bench.Step());
    }

    [Fact]
    public void Decodes_go_on_in_every_step_while_a_long_prompt_is_prefilled_in_pieces()
    {
        var bench = new SchedulerBench(Options);
        Request a = bench.Add("a", 4);
        bench.Step();
        bench.Add("long", 900);

        for (int prefix = 0; prefix < 891; prefix += 99)
        {
            Assert.Equal($"a:{4 + prefix / 99}+1* long:{prefix}+99", bench.Step());
        }

        Assert.Equal("a:13+1* long:891+9*", bench.Step());
        Assert.Equal(11, a.NumGeneratedTokens);
    }

    [Fact]
    public void The_threshold_lets_long_prompts_share_a_step()
    {
        var bench = new SchedulerBench(Options with { LongPrefillTokenThreshold = 40 });
        bench.Add("a", 200);
        bench.Add("b", 200);
        bench.Add("c", 5);

        Assert.Equal("a:0+40 b:0+40 c:0+5*", bench.Step());
        Assert.Equal("a:40+40 b:40+40 c:5+1*", bench.Step());
    }

    [Fact]
    public void Without_chunked_prefill_a_prompt_that_does_not_fit_the_budget_waits_and_is_not_overtaken()
    {
        var bench = new SchedulerBench(Options with { EnableChunkedPrefill = false, MaxModelLen = 100 });
        bench.Add("a", 60);
        bench.Add("b", 50);
        bench.Add("c", 5);

        Assert.Equal("a:0+60*", bench.Step());
        Assert.Equal("a:60+1* b:0+50* c:0+5*", bench.Step());
    }

    [Fact]
    public void No_more_requests_run_than_allowed()
    {
        var bench = new SchedulerBench(Options with { MaxNumRequests = 2 });
        Request a = bench.Add("a", 5);
        bench.Add("b", 5);
        bench.Add("c", 5);

        Assert.Equal("a:0+5* b:0+5*", bench.Step(a));
        Assert.Equal("b:5+1* c:0+5*", bench.Step());
    }

    [Fact]
    public void Waiting_requests_are_admitted_by_priority_and_then_arrival()
    {
        var bench = new SchedulerBench(Options with { MaxNumRequests = 3 });
        bench.Add("late", 5, priority: 2);
        bench.Add("b", 5);
        bench.Add("c", 5);
        bench.Add("first", 5, priority: -1);

        Assert.Equal("first:0+5* b:0+5* c:0+5*", bench.Step());
    }

    [Fact]
    public void Of_running_requests_the_more_urgent_takes_its_share_first()
    {
        var bench = new SchedulerBench(Options);
        bench.Add("a", 150);
        Assert.Equal("a:0+100", bench.Step());
        bench.Add("urgent", 150, priority: -1);
        Assert.Equal("a:100+50* urgent:0+50", bench.Step());

        Assert.Equal("urgent:50+100*", bench.Step());
        Assert.Equal("urgent:150+1* a:150+1*", bench.Step());
    }

    [Fact]
    public void A_prefix_hit_starts_as_an_extend_and_is_told_to_the_request()
    {
        var bench = new SchedulerBench(Options);
        int[] prompt = [.. Enumerable.Range(1, 16)];
        bench.Add(new Request("a", prompt, 1));
        Assert.Equal("a:0+16*", bench.Step());

        Request b = bench.Add(new Request("b", prompt, 1));
        Assert.Equal("b:12+4*", bench.Step());
        Assert.Equal(12, b.NumCachedTokens);
        Assert.Equal(12, bench.Scheduler.Cache.Statistics.NumHitTokens);
    }

    [Fact]
    public void With_prefix_caching_off_nothing_is_looked_up_or_kept()
    {
        var bench = new SchedulerBench(Options with { EnablePrefixCaching = false });
        int[] prompt = [.. Enumerable.Range(1, 16)];
        bench.Add(new Request("a", prompt, 1));
        bench.Step();
        bench.Add(new Request("b", prompt, 1));

        Assert.Equal("b:0+16*", bench.Step());
        Assert.Equal(0, bench.Pool.NumCachedBlocks);
        Assert.Equal(default, bench.Scheduler.Cache.Statistics);
    }

    [Fact]
    public void Generated_tokens_are_found_by_the_next_turn_of_a_conversation()
    {
        var bench = new SchedulerBench(Options);
        Request a = bench.Add("a", 10, maxNewTokens: 7);
        while (bench.Scheduler.HasWork) bench.Step();

        // 17 tokens, the last one never computed: 4 full blocks.
        bench.Add(new Request("b", [.. a.Tokens, 1, 2, 3], 1));
        Assert.Equal("b:16+4*", bench.Step());
    }

    [Fact]
    public void A_request_ends_when_the_engine_says_so_after_its_token()
    {
        var bench = new SchedulerBench(Options);
        Request a = bench.Add("a", 10);
        Request b = bench.Add("b", 10);

        bench.Step(a);

        Assert.True(a.IsFinished);
        Assert.Equal(1, a.NumGeneratedTokens);
        Assert.Equal("b:10+1*", bench.Step());
        Assert.False(b.IsFinished);
    }

    [Fact]
    public void The_model_length_ends_a_request()
    {
        var bench = new SchedulerBench(Options with { MaxModelLen = 12 });
        Request a = bench.Add("a", 10, maxNewTokens: int.MaxValue);
        while (bench.Scheduler.HasWork) bench.Step();

        Assert.Equal(12, a.NumTokens);
        Assert.Throws<ArgumentException>(() => bench.Add("b", 12));
        bench.AssertAllReleased();
    }

    [Fact]
    public void Aborting_a_waiting_a_running_and_a_half_prefilled_request_returns_everything()
    {
        var bench = new SchedulerBench(Options);
        Request running = bench.Add("a", 10);
        Request partial = bench.Add("b", 300);
        Request waiting = bench.Add("c", 10);
        Assert.Equal("a:0+10* b:0+90", bench.Step());

        foreach (Request request in (Request[])[waiting, partial, running])
        {
            Assert.True(bench.Scheduler.Abort(request));
            Assert.False(bench.Scheduler.Abort(request));
            bench.Scheduler.CheckIntegrity();
        }

        bench.AssertAllReleased();
    }

    [Fact]
    public void Blocks_of_a_request_aborted_in_mid_step_come_back_when_the_step_is_done()
    {
        var bench = new SchedulerBench(Options);
        Request a = bench.Add("a", 10);
        Request b = bench.Add("b", 10);
        ScheduledStep step = bench.Schedule();

        Assert.True(bench.Scheduler.Abort(a));
        Assert.True(a.IsFinished);
        Assert.Equal(6, bench.Pool.NumUsedBlocks);
        bench.Scheduler.CheckIntegrity();
        bench.Complete(step);

        Assert.Equal(3, bench.Pool.NumUsedBlocks);
        Assert.Equal(0, a.NumGeneratedTokens);
        Assert.Equal(0, step.Finished.Length);
        Assert.Equal("b:10+1*", bench.Step(b));
        bench.AssertAllReleased();
    }

    [Fact]
    public void A_discarded_step_ends_its_requests_and_caches_nothing()
    {
        var bench = new SchedulerBench(Options);
        Request a = bench.Add("a", 10);
        Request b = bench.Add("b", 150);
        ScheduledStep step = bench.Schedule();

        bench.Scheduler.Discard(step);

        Assert.Equal([a, b], step.Finished.ToArray());
        Assert.Equal(0, bench.Pool.NumCachedBlocks);
        bench.AssertAllReleased();
    }

    [Fact]
    public void A_step_must_be_completed_once_before_the_next_is_scheduled()
    {
        var bench = new SchedulerBench(Options);
        bench.Add("a", 10);
        ScheduledStep step = bench.Schedule();

        Assert.Throws<InvalidOperationException>(bench.Scheduler.Schedule);
        Assert.Throws<ArgumentException>(() => bench.Scheduler.Complete(step, [1, 2], [false]));
        bench.Complete(step);
        Assert.Throws<InvalidOperationException>(() => bench.Scheduler.Complete(step, [1], [false]));
        bench.Scheduler.CheckIntegrity();
    }

    [Fact]
    public void A_request_is_added_only_once()
    {
        var bench = new SchedulerBench(Options);
        Request a = bench.Add("a", 10);

        Assert.Throws<ArgumentException>(() => bench.Scheduler.Add(a));
        bench.Scheduler.CheckIntegrity();
    }

    [Fact]
    public void Options_out_of_range_are_refused()
    {
        foreach (SchedulerOptions options in (SchedulerOptions[])[
            Options with { MaxNumRequests = 0 },
            Options with { MaxModelLen = 1 },
            Options with { MaxNumBatchedTokens = 7 },
            Options with { EnableChunkedPrefill = false },
            Options with { LongPrefillTokenThreshold = -1 },
            Options with { NumLookaheadTokens = -1 },
            Options with { Watermark = 1 },
            Options with { Watermark = double.NaN },
        ])
        {
            Assert.Throws<ArgumentOutOfRangeException>(() => new SchedulerBench(options));
        }
    }
}
