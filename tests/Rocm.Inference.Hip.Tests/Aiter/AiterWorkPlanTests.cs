using Rocm.Inference.TestKit;

namespace Rocm.Inference.Hip.Tests.Aiter;

/// <summary>The reference plan by its properties.</summary>
public sealed class AiterWorkPlanTests
{
    [Fact]
    public void Every_page_of_every_context_is_worked_on_once_for_each_head_and_no_worker_has_much_more_than_another()
    {
        int seed = Environment.TickCount;
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        var random = new Random(seed);
        for (int round = 0; round < 500; round++)
        {
            int kvHeads = 1 << random.Next(4), workers = kvHeads + random.Next(300), sequences = 1 + random.Next(20), pageTokens = random.Next(2) == 0 ? 1 : 256;
            int granule = pageTokens == 1 ? 64 : 1, length = 1 + random.Next(4), gqa = 1 + random.Next(16);
            int[] contexts = [.. Enumerable.Range(0, sequences).Select(_ => random.Next(5) == 0 ? 0 : random.Next(20_000))];
            int[] firsts = [0, .. contexts.Select((_, s) => contexts[..(s + 1)].Sum(context => (context + pageTokens - 1) / pageTokens))];
            var plan = new AiterWorkPlan(20, workers, kvHeads);
            plan.Plan(contexts, pageTokens, granule, length, gqa);

            Assert.Equal(0, plan.WorkOffsets[0]);
            Assert.All(Enumerable.Range(0, workers), w => Assert.True(plan.WorkOffsets[w] <= plan.WorkOffsets[w + 1]));
            int[][] items = [.. plan.Items.Chunk(AiterWorkPlan.ItemWords).Take(plan.ItemCount)];
            for (int head = 0; head < kvHeads; head++)
            {
                int[][] own = [.. items.Where(item => (item[7] & 0xffff) == head * gqa)];
                Assert.All(own, item => Assert.Equal((head + 1) * gqa, item[7] >> 16));
                // One after the other they cover all pages; cuts lie at granules, and the tokens that follow are those of the same sequence.
                Assert.Equal(firsts[^1], own.Sum(item => item[5] - item[4]));
                foreach (int[] item in own)
                {
                    int s = item[0], done = item[5] - firsts[s];
                    Assert.True(item[4] < item[5] && item[4] >= firsts[s] && item[5] <= firsts[s + 1]);
                    Assert.Equal(0, (item[4] - firsts[s]) % granule);
                    Assert.Equal(Math.Max(0, contexts[s] - (done * pageTokens)), item[6]);
                    Assert.True(item[6] == 0 || item[6] >= length, "a last stretch that some query sees nothing of");
                    Assert.Equal((s * length, (s + 1) * length), (item[2], item[3]));
                    Assert.Equal(item[4] == firsts[s] && item[5] == firsts[s + 1], item[1] == -1);
                }

                Assert.Equal(own.Select(item => item[4]).Order(), own.Select(item => item[4]).Distinct().Order());
                // The partials of a head have rows of their own, and the maps name them in the order of the context.
                int[] rows = [.. own.Where(item => item[1] >= 0).OrderBy(item => item[4]).Select(item => item[1])];
                Assert.Equal(rows, plan.ReducePartial[..plan.ReduceOffsets[plan.ReduceCount]]);
                Assert.Equal(Enumerable.Range(0, rows.Length).Select(i => i * length), rows);
                Assert.Equal(rows.Length * length, plan.PartialRows);
            }

            for (int group = 0; group < plan.ReduceCount; group++)
            {
                Assert.True(plan.ReduceOffsets[group + 1] - plan.ReduceOffsets[group] >= 2);
                int row = plan.ReducePartial[plan.ReduceOffsets[group]];
                int[] first = items.First(item => item[1] == row);
                Assert.Equal((first[2], first[3]), (plan.ReduceFinal[2 * group], plan.ReduceFinal[(2 * group) + 1]));
            }

            int most = Enumerable.Range(0, workers).Max(w => items[plan.WorkOffsets[w]..plan.WorkOffsets[w + 1]].Sum(item => (item[5] - item[4] + granule - 1) / granule));
            long granules = contexts.Sum(context => (long)(((context + pageTokens - 1) / pageTokens) + granule - 1) / granule);
            Assert.InRange(most, 0, (granules / (workers / kvHeads)) + 2);
        }
    }

    [Fact]
    public void Planning_allocates_nothing()
    {
        var plan = new AiterWorkPlan(64, 304, 8);
        int[] contexts = [.. Enumerable.Range(1, 64).Select(i => i * 131)];
        plan.Plan(contexts, 256, 1, 1, 8);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++) plan.Plan(contexts, 256, 1, 1, 8);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
        Assert.Throws<ArgumentException>(() => plan.Plan(new int[65], 256, 1, 1, 8));
    }
}
