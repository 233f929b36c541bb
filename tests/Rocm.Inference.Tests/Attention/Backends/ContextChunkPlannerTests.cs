using System.Diagnostics;
using Rocm.Inference.Attention.Backends;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Tests.Attention.Backends;

public sealed class ContextChunkPlannerTests
{
    /// <summary>A stretch of a row's context in a chunk.</summary>
    private readonly record struct Span(int Chunk, int Row, int Start, int End);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Any_plan_visits_every_visible_token_once_in_whole_blocks_within_the_budget(int seed)
    {
        var random = new TestRandom(seed);
        for (int i = 0; i < 400; i++)
        {
            int block = random.Pick(1, 3, 16, 64, 272, 1056), tokens = random.Pick(1, 16, 100, 512, 3000), rows = random.Next(1, 12);
            int window = random.Chance(0.3) ? random.Pick(1, 2, 17, 128, 1000) : int.MaxValue;
            int[] contexts = Contexts(random, rows);
            var planner = new ContextChunkPlanner(12, 5000, tokens, block);
            planner.Plan(contexts, window);
            string what = $"seed {seed}, case {i}: block {block}, budget {tokens}, window {window}, contexts {string.Join(' ', contexts)}";
            List<Span> spans = Spans(planner);

            for (int row = 0; row < rows; row++)
            {
                int next = (int)Math.Max(0L, contexts[row] - (long)window + 1);
                foreach (Span span in spans.Where(s => s.Row == row))
                {
                    Assert.True(span.Start == next, $"{what}: row {row} goes on at {span.Start}, not {next}");
                    Assert.True(span.End > span.Start, $"{what}: row {row} has an empty span");
                    Assert.True(span.End == contexts[row] || span.End % block == 0, $"{what}: row {row} is cut at {span.End}");
                    next = span.End;
                }

                Assert.True(next == contexts[row], $"{what}: row {row} ends at {next}");
            }

            foreach (ContextChunk chunk in planner.Chunks)
            {
                Assert.True(chunk.NumTokens <= planner.ChunkTokens, what);
                Assert.True(chunk.NumTokens <= Math.Max(tokens, block), what);
            }

            foreach (IGrouping<int, Span> chunk in spans.GroupBy(s => s.Chunk))
            {
                foreach (Span span in chunk.Skip(1))
                    Assert.True(spans.First(s => s.Row == span.Row) == span, $"{what}: row {span.Row} continues inside chunk {chunk.Key}");
            }
        }
    }

    [Fact]
    public void Where_a_row_is_cut_does_not_depend_on_the_other_rows()
    {
        var random = new TestRandom(7);
        for (int i = 0; i < 200; i++)
        {
            int[] contexts = Contexts(random, 8);
            var together = new ContextChunkPlanner(8, 5000, 512, 16);
            together.Plan(contexts, int.MaxValue);
            List<Span> crowd = Spans(together);
            for (int row = 0; row < contexts.Length; row++)
            {
                var alone = new ContextChunkPlanner(1, 5000, 512, 16);
                alone.Plan([contexts[row]], int.MaxValue);
                Assert.Equal(Spans(alone).Select(s => (s.Start, s.End)), crowd.Where(s => s.Row == row).Select(s => (s.Start, s.End)));
            }
        }
    }

    [Fact]
    public void Short_contexts_share_a_chunk_and_a_long_one_does_not_make_theirs_small()
    {
        var planner = new ContextChunkPlanner(64, 1_000_000, 32768, 16);
        planner.Plan([100_000, .. Enumerable.Repeat(500, 63)], int.MaxValue);

        // 3 full pieces of the long row; its last 1696 tokens with 62 of the short rows; one is left over.
        Assert.Equal([32768, 32768, 32768, 1696 + (62 * 500), 500], planner.Chunks.ToArray().Select(c => c.NumTokens));
    }

    [Fact]
    public void Packing_takes_at_most_twice_the_chunks_that_the_tokens_need()
    {
        var random = new TestRandom(11);
        for (int i = 0; i < 300; i++)
        {
            int[] contexts = Contexts(random, 12);
            var planner = new ContextChunkPlanner(12, 5000, 512, 16);
            planner.Plan(contexts, int.MaxValue);
            Assert.True(planner.Chunks.Length <= (2 * contexts.Sum() / 512) + 1);
        }
    }

    [Fact]
    public void A_window_of_one_sees_no_context_and_makes_no_chunk()
    {
        var planner = new ContextChunkPlanner(2, 100, 64, 16);
        planner.Plan([50, 99], 1);
        Assert.True(planner.Chunks.IsEmpty);
    }

    [Fact]
    public void Planning_is_linear_in_rows_and_pieces_and_allocates_nothing()
    {
        const int Rows = 4096;
        var planner = new ContextChunkPlanner(Rows, 100_000, 32768, 16);
        int[] contexts = [.. Enumerable.Range(0, Rows).Select(i => 1 + (i * 37 % 100_000))];
        planner.Plan(contexts, int.MaxValue);
        long allocated = long.MaxValue;
        double best = double.MaxValue;
        for (int i = 0; i < 20; i++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            long start = Stopwatch.GetTimestamp();
            planner.Plan(contexts, int.MaxValue);
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalMilliseconds);

            // The least of all rounds: a collection that another test causes counts the rest of this thread's allocation buffer.
            allocated = Math.Min(allocated, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.Equal(0, allocated);

        // 300 million tokens: anything per token takes longer than this.
        Assert.True(best < 20, $"{best:F3} ms for {Rows} rows");
    }

    private static int[] Contexts(TestRandom random, int rows) => [.. Enumerable.Range(0, rows).Select(_ => random.Pick(1, 2, 15, 16, 17, random.Next(1, 600), random.Next(1, 5000)))];

    private static List<Span> Spans(ContextChunkPlanner planner)
    {
        var spans = new List<Span>();
        for (int c = 0; c < planner.Chunks.Length; c++)
        {
            ContextChunk chunk = planner.Chunks[c];
            int longest = 0;
            for (int i = 0; i < chunk.NumRows; i++)
            {
                int from = planner.KeyOffsets[chunk.FirstOffset + i], to = planner.KeyOffsets[chunk.FirstOffset + i + 1];
                int start = planner.KeyPositions[chunk.FirstSpan + i];
                longest = Math.Max(longest, to - from);
                spans.Add(new Span(c, chunk.FirstRow + i, start, start + to - from));
            }

            Assert.Equal(0, planner.KeyOffsets[chunk.FirstOffset]);
            Assert.Equal(chunk.NumTokens, planner.KeyOffsets[chunk.FirstOffset + chunk.NumRows]);
            Assert.Equal(chunk.MaxKeyLen, longest);
        }

        return spans;
    }
}
