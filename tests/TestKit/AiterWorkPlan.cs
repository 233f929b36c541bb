namespace Rocm.Inference.TestKit;

/// <summary>
/// Shares the contexts of a batch among the blocks of a persistent kernel: every block gets a list of items, an item is a stretch of one sequence's context for
/// the query heads of one KV head. Contexts that are cut leave partials, which are reduced by the maps here; the others are written finally. The layout is
/// that of sections 4 and 5.8 of AITER's binary interface, the sharing that of the library, which plans on the device: this is the reference, step by step.
/// </summary>
internal sealed class AiterWorkPlan
{
    /// <summary>Words of an item.</summary>
    internal const int ItemWords = 8;

    private readonly int _maxSequences;

    /// <summary>Creates a plan for batches up to a size.</summary>
    /// <param name="maxSequences">Sequences at most.</param>
    /// <param name="workers">Blocks of the grid: the device's compute units, and at least as many as KV heads.</param>
    /// <param name="kvHeads">KV heads.</param>
    internal AiterWorkPlan(int maxSequences, int workers, int kvHeads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxSequences, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(kvHeads, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(workers, kvHeads);
        (_maxSequences, Workers, KvHeads) = (maxSequences, workers, kvHeads);
        // A worker begins at most one stretch in mid-sequence.
        int stretches = maxSequences + (workers / kvHeads);
        WorkOffsets = new int[workers + 1];
        Items = new int[stretches * kvHeads * ItemWords];
        ReduceOffsets = new int[maxSequences + 1];
        ReduceFinal = new int[maxSequences * 2];
        ReducePartial = new int[stretches];
    }

    internal int Workers { get; }

    internal int KvHeads { get; }

    /// <summary>Items of worker w: from [w] to [w + 1].</summary>
    internal int[] WorkOffsets { get; }

    /// <summary>
    /// Sequence; row of the partial or -1; first and last + 1 query row; first and last + 1 page, as indices into the packed page numbers; tokens that
    /// follow in the sequence (MLA); first query head in the low and last + 1 in the high 16 bits.
    /// </summary>
    internal int[] Items { get; }

    internal int ItemCount => WorkOffsets[^1];

    /// <summary>Partials of the g-th sequence that was cut: entries [g] to [g + 1] of <see cref="ReducePartial"/>.</summary>
    internal int[] ReduceOffsets { get; }

    /// <summary>First and last + 1 query row of the g-th sequence that was cut.</summary>
    internal int[] ReduceFinal { get; }

    /// <summary>First row of each partial.</summary>
    internal int[] ReducePartial { get; }

    /// <summary>Sequences that were cut.</summary>
    internal int ReduceCount { get; private set; }

    /// <summary>Rows that the partials take.</summary>
    internal int PartialRows { get; private set; }

    /// <summary>Rows that partials can take at most.</summary>
    internal int MaxPartialRows(int queryLength) => ReducePartial.Length * queryLength;

    /// <summary>Plans a batch. Allocates nothing.</summary>
    /// <param name="contexts">Tokens of each sequence's context.</param>
    /// <param name="pageTokens">Tokens of a page; only whole pages are cut off.</param>
    /// <param name="granulePages">Cuts lie at multiples of so many pages.</param>
    /// <param name="queryLength">Query tokens of every sequence.</param>
    /// <param name="headsPerKvHead">Query heads of a KV head.</param>
    internal void Plan(ReadOnlySpan<int> contexts, int pageTokens, int granulePages, int queryLength, int headsPerKvHead)
    {
        if (contexts.Length > _maxSequences) throw new ArgumentException($"The plan is for {_maxSequences} sequences, not {contexts.Length}.", nameof(contexts));
        int share = Workers / KvHeads;
        long granules = 0;
        foreach (int context in contexts) granules += Granules(context, pageTokens, granulePages);
        // Every worker of a KV head gets the same number of granules, the first ones one more.
        long each = granules / share, more = granules % share;
        int items = 0;
        for (int head = 0; head < KvHeads; head++)
        {
            int worker = 0, reduces = 0, parts = 0, rows = 0, firstPage = 0;
            long done = 0, end = each + (more > 0 ? 1 : 0);
            WorkOffsets[head * share] = items;
            for (int s = 0; s < contexts.Length; s++)
            {
                int pages = (contexts[s] + pageTokens - 1) / pageTokens, page = 0, pieces = 0;
                while (page < pages)
                {
                    while (done >= end)
                    {
                        worker++;
                        WorkOffsets[(head * share) + worker] = items;
                        end += each + (worker < more ? 1 : 0);
                    }

                    int taken = (int)Math.Min((end - done) * granulePages, pages - page);
                    // A query that sees nothing of a stretch gets garbage from it: the last stretch is long enough for all of them to see a key.
                    if (contexts[s] - ((page + taken) * pageTokens) < queryLength) taken = pages - page;
                    done += (taken + granulePages - 1) / granulePages;
                    bool whole = taken == pages;
                    Span<int> item = Items.AsSpan(items++ * ItemWords, ItemWords);
                    item[0] = s;
                    item[1] = whole ? -1 : rows;
                    item[2] = s * queryLength;
                    item[3] = (s + 1) * queryLength;
                    item[4] = firstPage + page;
                    item[5] = firstPage + page + taken;
                    item[6] = Math.Max(0, contexts[s] - ((page + taken) * pageTokens));
                    item[7] = (head * headsPerKvHead) | ((head + 1) * headsPerKvHead << 16);
                    page += taken;
                    if (whole) continue;
                    ReducePartial[parts++] = rows;
                    rows += queryLength;
                    pieces++;
                }

                firstPage += pages;
                if (pieces == 0) continue;
                ReduceFinal[2 * reduces] = s * queryLength;
                ReduceFinal[(2 * reduces) + 1] = (s + 1) * queryLength;
                ReduceOffsets[++reduces] = parts;
            }

            int last = head == KvHeads - 1 ? Workers : (head + 1) * share;
            for (worker++; (head * share) + worker <= last; worker++) WorkOffsets[(head * share) + worker] = items;
            (ReduceCount, PartialRows) = (reduces, rows);
        }
    }

    private static int Granules(int context, int pageTokens, int granulePages) =>
        ((context + pageTokens - 1) / pageTokens + granulePages - 1) / granulePages;
}
