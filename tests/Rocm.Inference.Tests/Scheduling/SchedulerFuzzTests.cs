using Rocm.Inference.KvCache;
using Rocm.Inference.Scheduling;
using Xunit;

namespace Rocm.Inference.Tests.Scheduling;

/// <summary>
/// Random callers against the scheduler and the cache, with a device that checks what every slot holds. The seed is in the output of a
/// failure; a run is repeated by putting it into <see cref="A_run_of_one_seed_holds_every_invariant"/>.
/// </summary>
public sealed class SchedulerFuzzTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData(1)]
    [InlineData(20250101)]
    public void A_run_of_one_seed_holds_every_invariant(int seed) => Run(seed);

    [Fact]
    public void Runs_of_many_fixed_seeds_hold_every_invariant()
    {
        Coverage total = default;
        for (int seed = 100; seed < 300; seed++) total += Run(seed);

        // A fuzz that never gets into trouble proves nothing.
        output.WriteLine(total.ToString());
        Assert.True(total.Preemptions > 500, $"Only {total.Preemptions} preemptions.");
        Assert.True(total.HitTokens > 5000, $"Only {total.HitTokens} tokens were hit.");
        Assert.True(total.Expired > 500, $"Only {total.Expired} blocks expired.");
        Assert.True(total.Resets > 50, $"Only {total.Resets} resets.");
        Assert.True(total.Aborts > 500 && total.Discards > 50 && total.Refused > 20, total.ToString());
    }

    [Fact]
    public void Runs_of_random_seeds_hold_every_invariant()
    {
        int first = Environment.TickCount & 0xFFFFFFF;
        output.WriteLine($"first seed {first}");
        for (int i = 0; i < 30; i++) Run(first + i);
    }

    private Coverage Run(int seed)
    {
        try
        {
            return new SchedulerFuzz(seed).Run();
        }
        catch (Exception exception)
        {
            output.WriteLine($"seed {seed}: {exception.Message}");
            throw new InvalidOperationException($"Fuzz of seed {seed} failed: {exception.Message}", exception);
        }
    }

    internal readonly record struct Coverage(long Steps, long Preemptions, long HitTokens, long Expired, long Resets, long Aborts, long Discards, long Refused)
    {
        public static Coverage operator +(Coverage a, Coverage b) => new(
            a.Steps + b.Steps, a.Preemptions + b.Preemptions, a.HitTokens + b.HitTokens, a.Expired + b.Expired, a.Resets + b.Resets,
            a.Aborts + b.Aborts, a.Discards + b.Discards, a.Refused + b.Refused);
    }
}
