using System.Runtime.CompilerServices;
using Rocm.Inference.Devices.Cpu.Panels;

namespace Rocm.Inference.Devices.Cpu.Attention;

/// <summary>
/// Attention over contiguous rows in two passes. First the keys and values of a row and KV head are laid out as panels, like the weights of a product,
/// once for all its queries; then blocks of query rows multiply with them, 192 keys at a time: all scores of the stretch, one softmax step, all
/// weighted values. Row-head pairs go in waves, so that the panels stay within a budget.
/// </summary>
internal sealed unsafe partial class CpuAttentionKernels<TSimd, TVector>
{
    // Keys between two steps of the softmax: a slice of V panels (36 KiB) then stays in the first-level cache.
    private const int StretchLen = 4 * Panel.Width;

    // Panels of a wave: enough for all threads to be busy, little enough to stay in the last-level cache. One pair may exceed it.
    private const long WaveBytes = 32L << 20;

    public void FlashVarlenPacked(DeviceContext context, in FlashVarlenArgs args)
    {
        AttentionJob job = DescribeVarlen(args);
        if (args.NumRows == 0) return;
        long mark = context.Mark();
        job.Rows = (AttentionRow*)context.Scratch(DType.U8, (long)args.NumRows * sizeof(AttentionRow)).Address;
        PlanVarlen(ref job, args);
        (long most, long all) = CountTiles(ref job);
        long tileBytes = PackedJob.TileBytes(job.HeadDim, job.ValueDim), budget = Math.Min(all * tileBytes, Math.Max(WaveBytes, most * tileBytes));
        var packed = new PackedJob { Attention = job, Panels = (byte*)context.Scratch(DType.U8, budget).Address };
        using (crew.Enter())
        {
            crew.ReserveScratch(new PackedScratch(job, StretchLen).SizeBytes);
            long pairs = (long)job.NumRows * job.NumKvHeads;
            for (long first = 0; first < pairs; first = packed.EndPair)
            {
                packed.PlanWave(first, budget);
                crew.Run(&PackTiles, &packed, packed.NumTiles <= 1);
                crew.Run(&AttendPacked, &packed, packed.NumBlocks <= 1);
            }
        }

        context.Release(mark);
    }

    /// <summary>Bytes of the panels of one wave at most.</summary>
    private static long PackedBytes(AttentionSpec spec, int maxNumRows, int maxNumKeys)
    {
        // Latent attention runs with the keys and values of every head here.
        bool latent = spec.Kind == AttentionKind.Mla;
        int dim = latent ? spec.QkNopeHeadDim + spec.QkRopeHeadDim : spec.HeadDim;
        long tile = PackedJob.TileBytes(dim, spec.VHeadDim), tiles = (maxNumKeys + Panel.Width - 1) / Panel.Width;
        long all = tile * (tiles + (2L * maxNumRows)) * (latent ? spec.NumQoHeads : spec.NumKvHeads);
        return Math.Min(all, Math.Max(WaveBytes, tile * (tiles + 1)));
    }

    /// <summary>Numbers the tiles that hold the keys which any query of a row sees; returns the most of a row-head pair, and all.</summary>
    private static (long Most, long All) CountTiles(ref AttentionJob job)
    {
        long most = 0, all = 0;
        for (int r = 0; r < job.NumRows; r++)
        {
            ref AttentionRow row = ref job.Rows[r];
            (int first, int end) = VisibleKeys(job, row);
            row.NumTiles = first >= end ? 0 : ((end + Panel.Width - 1) / Panel.Width) - (first / Panel.Width);
            row.FirstMerge = checked((int)all);
            most = Math.Max(most, row.NumTiles);
            all += (long)row.NumTiles * job.NumKvHeads;
        }

        return (most, all);
    }

    private static PackedPair FindPair(PackedJob* packed, int item, bool byTile)
    {
        AttentionJob* job = &packed->Attention;
        item += byTile ? packed->FirstTile : packed->FirstBlock;
        int rowIndex = FindRow(job, item, byMerge: byTile);
        ref AttentionRow row = ref job->Rows[rowIndex];
        item -= byTile ? row.FirstMerge : row.FirstItem;
        (int head, int index) = Math.DivRem(item, byTile ? row.NumTiles : row.NumBlocks);
        return new PackedPair { Row = rowIndex, Head = head, FirstTile = row.FirstMerge + (head * row.NumTiles), NumTiles = row.NumTiles, Index = index };
    }

    private static (int First, int End) VisibleKeys(in AttentionJob job, in AttentionRow row) => row.QueryLen == 0
        ? (0, 0)
        : (FirstVisible(job, row.FirstPosition), EndVisible(job, row.FirstPosition + row.QueryLen - 1, row.NumKeys));

    private static void PackTiles(CpuCrew crew, int worker, PackedJob* packed)
    {
        AttentionJob* job = &packed->Attention;
        for (int item = crew.Claim(); item < packed->NumTiles; item = crew.Claim())
        {
            PackedPair pair = FindPair(packed, item, byTile: true);
            ref AttentionRow row = ref job->Rows[pair.Row];
            (int first, int end) = VisibleKeys(*job, row);
            int tile = ((first / Panel.Width) + pair.Index) * Panel.Width;
            int from = Math.Max(first, tile), to = Math.Min(end, tile + Panel.Width);
            KvTileSource source = SourceOf(job, pair.Row, pair.Head);
            var keys = new KvTile { Start = tile, First = from, End = to, Ahead = to };
            ContiguousTileReader<TSimd, TVector>.PackKeys(source, keys, (byte*)packed->KeyPanel(pair, pair.Index));
            ContiguousTileReader<TSimd, TVector>.PackValues(source, keys, packed->ValuePanel(pair, pair.Index, 0), (nint)pair.NumTiles * Panel.Width * Panel.Width);
        }
    }

    private static void AttendPacked(CpuCrew crew, int worker, PackedJob* packed)
    {
        AttentionJob* job = &packed->Attention;
        var scratch = new PackedScratch(*job, StretchLen);
        scratch.Place(crew.Scratch(worker));
        for (int item = crew.Claim(); item < packed->NumBlocks; item = crew.Claim())
        {
            // The last block of a causal row has the most keys: it goes first, so that threads finish together.
            PackedPair pair = FindPair(packed, item, byTile: false);
            ref AttentionRow row = ref job->Rows[pair.Row];
            int firstToken = (row.NumBlocks - 1 - pair.Index) * job->BlockTokens;
            var work = new AttentionItem
            {
                FirstToken = row.QueryStart + firstToken,
                NumTokens = Math.Min(job->BlockTokens, row.QueryLen - firstToken),
                FirstPosition = row.FirstPosition + firstToken,
                NumKeys = row.NumKeys,
                Head = pair.Head,
                NumHeads = 1,
            };
            LoadQueries(job, scratch.Attention, work, splitStep: 0);
            scratch.Attention.ClearTotals(work.NumTokens * job->GqaRatio);
            new Span<float>(scratch.Attention.Totals, work.NumTokens * job->GqaRatio * scratch.Attention.ValueStride).Clear();
            int firstTile = VisibleKeys(*job, row).First / Panel.Width * Panel.Width;
            int end = EndVisible(*job, work.FirstPosition + work.NumTokens - 1, work.NumKeys);
            for (int key = Math.Max(firstTile, FirstVisible(*job, work.FirstPosition) / StretchLen * StretchLen), next; key < end; key = next)
            {
                next = (key / StretchLen * StretchLen) + StretchLen;
                AttendStretch(packed, scratch, work, pair, (key - firstTile) / Panel.Width, key, Math.Min(end, next));
            }

            WriteOutput(job, scratch.Attention, work);
        }
    }

    /// <summary>Adds keys [key, end), which start at the pair's tile <paramref name="index"/>, to the totals of the item's rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AttendStretch(PackedJob* packed, in PackedScratch stretch, in AttentionItem work, in PackedPair pair, int index, int key, int end)
    {
        AttentionJob* job = &packed->Attention;
        ref readonly AttentionScratch scratch = ref stretch.Attention;
        int ratio = job->GqaRatio;

        // Only tokens that see a key of the stretch, and of a tile: later tokens see more keys.
        int firstToken = job->Causal ? Math.Max(0, key - work.FirstPosition) : 0;
        int endToken = (int)Math.Min(work.NumTokens, (long)end - 1 + job->Window - work.FirstPosition);
        if (firstToken >= endToken) return;
        int row = firstToken * ratio, endRow = endToken * ratio;
        int tiles = (end - key + Panel.Width - 1) / Panel.Width, width = tiles * Panel.Width;
        for (int t = 0; t < tiles; t++)
        {
            int tileRow = job->Causal ? Math.Max(row, (key + (t * Panel.Width) - work.FirstPosition) * ratio) : row;
            if (tileRow >= endRow) break;
            PanelTile<TSimd, TVector, F32Panel<TSimd, TVector>>.Multiply(
                endRow - tileRow, (job->HeadDim + 1) / 2, scratch.Queries + ((long)tileRow * scratch.QueryStride), scratch.QueryStride,
                (byte*)packed->KeyPanel(pair, index + t), stretch.Scores + ((long)tileRow * StretchLen) + (t * Panel.Width), StretchLen, add: false);
        }

        for (int i = row; i < endRow; i++)
        {
            float factor = SoftmaxRow(
                job, stretch.Scores + ((long)i * StretchLen), width, key, work.FirstPosition + (i / ratio), work.NumKeys,
                (work.Head * ratio) + (i % ratio), scratch.Lanes, ref scratch.TotalMax[i], ref scratch.TotalSum[i]);
            if (factor != 1) Scale(scratch.Totals + ((long)i * scratch.ValueStride), scratch.ValueStride, factor);
        }

        bool seen = SeeAll(job, work, firstToken, endToken, key, end) && (end - key) % 2 == 0;
        if (!seen && AddSeenValues(packed, stretch, work, pair, index, key, end, firstToken, endToken)) return;

        // A few rows at a time, which end at the same keys but for a few.
        const int Group = 16;
        for (int slice = 0; slice * Panel.Width < scratch.ValueStride; slice++)
        {
            byte* panel = (byte*)packed->ValuePanel(pair, index, slice);
            for (int i = row; i < endRow; i += Group)
            {
                int count = Math.Min(Group, endRow - i);
                int keys = EndVisible(*job, work.FirstPosition + ((i + count - 1) / ratio), Math.Min(end, work.NumKeys)) - key;
                PanelTile<TSimd, TVector, F32Panel<TSimd, TVector>>.Multiply(
                    count, (keys + 1) / 2, stretch.Scores + ((long)i * StretchLen), StretchLen, panel,
                    scratch.Totals + ((long)i * scratch.ValueStride) + (slice * Panel.Width), scratch.ValueStride, add: true);
            }
        }
    }
}
