using System.Runtime.Intrinsics;
using Rocm.Inference.Devices.Cpu.Panels;
using Rocm.Inference.Devices.Cpu.Simd;

namespace Rocm.Inference.Devices.Cpu.Attention;

/// <summary>
/// Brings 48 consecutive positions of one KV head from where they are stored into the form that products read: K as a panel whose columns are the
/// positions, V as one row a position, in place where that pays. The attention loop is generic over the implementations.
/// </summary>
internal unsafe interface IKvTileReader<TSimd, TVector>
    where TSimd : ISimd<TVector>
    where TVector : struct
{
    /// <summary>Finds K's rows, or packs them into the scratch's key panel; what is at other places than the tile's positions is of no account.</summary>
    /// <param name="source">The sequence.</param>
    /// <param name="tile">The positions.</param>
    /// <param name="scratch">Gets the addresses of the rows, and the panel.</param>
    /// <param name="count">Query rows that will be multiplied.</param>
    static abstract KeyForm LoadKeys(in KvTileSource source, in KvTile tile, in AttentionScratch scratch, int count);

    /// <summary>Finds or makes V's rows, after <see cref="LoadKeys"/>.</summary>
    /// <param name="source">The sequence.</param>
    /// <param name="tile">The positions.</param>
    /// <param name="scratch">Gets the addresses of the rows.</param>
    /// <param name="rows">Query rows that will read them.</param>
    /// <param name="inFloats">True when the form must be <see cref="ValueForm.Floats"/>.</param>
    static abstract ValueForm LoadValues(in KvTileSource source, in KvTile tile, in AttentionScratch scratch, int rows, bool inFloats);

    /// <summary>Channels of a step, of which queries have the even ones before the odd ones; 0 when they have all in order.</summary>
    static abstract int SplitStep(in CacheTensor key);

    /// <summary>Scores [count, 48] of some query rows = queries · K at the tile's positions; elsewhere anything.</summary>
    /// <param name="source">The sequence.</param>
    /// <param name="tile">The positions.</param>
    /// <param name="scratch">Queries and keys.</param>
    /// <param name="headDim">Dimension of K.</param>
    /// <param name="form">What <see cref="LoadKeys"/> said.</param>
    /// <param name="row">First query row.</param>
    /// <param name="count">Number of query rows.</param>
    static abstract void Scores(in KvTileSource source, in KvTile tile, in AttentionScratch scratch, int headDim, KeyForm form, int row, int count);

    /// <summary>values[rows, ..] += scores[rows, 48] · V over the tile's positions.</summary>
    /// <param name="tile">The positions.</param>
    /// <param name="scratch">Scores, values and the addresses of V's rows.</param>
    /// <param name="valueDim">Dimension of V.</param>
    /// <param name="form">What <see cref="LoadValues"/> said.</param>
    /// <param name="row">First query row.</param>
    /// <param name="count">Number of query rows.</param>
    static abstract void AddValues(in KvTile tile, in AttentionScratch scratch, int valueDim, ValueForm form, int row, int count);

    /// <summary>Scores, softmax and values of as many whole <see cref="QueryGroup"/>s as there are, whose rows all see the same keys.</summary>
    /// <param name="source">The sequence.</param>
    /// <param name="tile">The positions.</param>
    /// <param name="scratch">Packed queries, maxima, sums and values.</param>
    /// <param name="valueDim">Dimension of V.</param>
    /// <param name="keys">What <see cref="LoadKeys"/> said.</param>
    /// <param name="values">What <see cref="LoadValues"/> said.</param>
    /// <param name="row">First query row, with which a group starts.</param>
    /// <param name="count">Number of query rows.</param>
    /// <returns>Number of query rows that were attended.</returns>
    static abstract int AttendGroups(in KvTileSource source, in KvTile tile, in AttentionScratch scratch, int valueDim, KeyForm keys, ValueForm values, int row, int count);
}

/// <summary>Where K of a tile is.</summary>
internal enum KeyForm
{
    /// <summary>In a panel.</summary>
    Panel,

    /// <summary>In a panel of keys that come in runs, for queries that have the even channels of each step first.</summary>
    LanePanel,

    /// <summary>In one row a position, for the same queries.</summary>
    Rows,

    /// <summary>In runs of which those of 16 positions are side by side, for the same queries.</summary>
    Runs,
}

/// <summary>What V's rows of a tile are.</summary>
internal enum ValueForm
{
    /// <summary>Elements of the cache, one row a position.</summary>
    Elements,

    /// <summary>Floats, one row a position.</summary>
    Floats,

    /// <summary>Words of two elements, one row an even position and the next.</summary>
    Pairs,
}

/// <summary>Some of the 48 positions from <see cref="Start"/> on.</summary>
internal struct KvTile
{
    public int Start;

    /// <summary>First position that is read.</summary>
    public int First;

    /// <summary>End of the positions that are read.</summary>
    public int End;

    /// <summary>Keys that the same thread reads next end here: of them the next tile is asked for in advance.</summary>
    public int Ahead;

    /// <summary>Heads that go over the tile one after the other, from the source's on.</summary>
    public int NumHeads;

    /// <summary>Which of them is next.</summary>
    public int HeadIndex;
}

/// <summary>One sequence's keys and values of one KV head.</summary>
internal unsafe struct KvTileSource
{
    public CacheTensor Key;
    public CacheTensor Value;

    /// <summary>The rest of each key, shared by all heads; its dimension is 0 where there is none.</summary>
    public CacheTensor KeyRope;
    public int* BlockTable;
    public int NumTableEntries;
    public int Head;

    /// <summary>Positions of a group: a divisor of every tile's start.</summary>
    public const int GroupLen = 16;

    /// <summary>Block that holds a position; throws rather than read outside the cache.</summary>
    public readonly int Block(int position) => BlockAt(position / Key.BlockSize);

    /// <summary>Block at a place of the table.</summary>
    public readonly int BlockAt(int index)
    {
        int block = index < NumTableEntries ? BlockTable[index] : -1;
        if ((uint)block >= (ulong)Key.NumBlocks)
            throw new InvalidOperationException($"Entry {index} of the block table is block {block} of {Key.NumBlocks}: the table is wrong.");
        return block;
    }

    /// <summary>Addresses of channel 0 (of tensors whose blocks are one group of tokens) of positions [first, end) at their place in the tile from <paramref name="start"/> on; the others are null.</summary>
    public readonly void Rows(in CacheTensor cache, int head, int start, int first, int end, byte** rows)
    {
        new Span<nint>(rows, Panel.Width).Clear();
        if (first >= end) return;
        (int index, int offset) = Math.DivRem(first, cache.BlockSize);
        for (int j = first - start, last = end - start; j < last; index++, offset = 0)
        {
            byte* row = cache.At(BlockAt(index), offset, head);
            int runEnd = (int)Math.Min(last, j + ((long)cache.BlockSize - offset));
            for (; j < runEnd; j++, row += cache.TokenBytes) rows[j] = row;
        }
    }

    /// <summary>Moves 48 rows to the next head; what is null or anything else is of no account.</summary>
    public static void Advance(byte** rows, long headBytes)
    {
        Vector512<long> step = Vector512.Create(headBytes);
        for (int j = 0; j < Panel.Width; j += Vector512<long>.Count) (Vector512.Load((long*)rows + j) + step).Store((long*)rows + j);
    }

    /// <summary>
    /// The same for keys: places without a position repeat another one's address. Their scores are masked, and a panel is packed
    /// fastest when it is full.
    /// </summary>
    public readonly void KeyRows(in CacheTensor cache, int head, in KvTile tile, byte** rows)
    {
        Rows(cache, head, tile.Start, tile.First, tile.End, rows);
        byte* any = rows[tile.First - tile.Start];
        for (int j = 0; j < tile.First - tile.Start; j++) rows[j] = any;
        for (int j = tile.End - tile.Start; j < Panel.Width; j++) rows[j] = any;
    }

    /// <summary>
    /// The same where groups of 16 positions, which lie in one block, are packed as one: every place of a group that has a position gets its own
    /// address, and the other groups repeat the first of these.
    /// </summary>
    public readonly void GroupedKeyRows(in CacheTensor cache, int head, in KvTile tile, byte** rows)
    {
        int first = (tile.First - tile.Start) / GroupLen * GroupLen, end = (tile.End - tile.Start + GroupLen - 1) / GroupLen * GroupLen;
        Rows(cache, head, tile.Start, tile.Start + first, tile.Start + end, rows);
        for (int j = 0; j < Panel.Width; j++)
        {
            if (j < first || j >= end) rows[j] = rows[first + (j % GroupLen)];
        }
    }
}
