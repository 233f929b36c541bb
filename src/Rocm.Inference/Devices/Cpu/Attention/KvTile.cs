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
    /// <summary>Packs K of the tile's positions into the scratch's key panel; what other columns hold is of no account.</summary>
    static abstract void LoadKeys(in KvTileSource source, in KvTile tile, in AttentionScratch scratch);

    /// <summary>Finds or makes V's rows, after <see cref="LoadKeys"/>.</summary>
    /// <param name="source">The sequence.</param>
    /// <param name="tile">The positions.</param>
    /// <param name="scratch">Gets the addresses of the rows.</param>
    /// <param name="rows">Query rows that will read them.</param>
    /// <returns>True when they are floats, false when they are elements of the cache.</returns>
    static abstract bool LoadValues(in KvTileSource source, in KvTile tile, in AttentionScratch scratch, int rows);

    /// <summary>scores[rows, 48] = q[rows, headDim] · K.</summary>
    static abstract void Scores(int rows, int headDim, float* q, nint ldq, byte* panel, float* scores);

    /// <summary>values[rows, ..] += scores[rows, 48] · V over the tile's positions.</summary>
    /// <param name="tile">The positions.</param>
    /// <param name="scratch">Scores, values and the addresses of V's rows.</param>
    /// <param name="valueDim">Dimension of V.</param>
    /// <param name="floats">What <see cref="LoadValues"/> said.</param>
    /// <param name="row">First query row.</param>
    /// <param name="count">Number of query rows.</param>
    static abstract void AddValues(in KvTile tile, in AttentionScratch scratch, int valueDim, bool floats, int row, int count);
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

    /// <summary>Block that holds a position; throws rather than read outside the cache.</summary>
    public readonly int Block(int position)
    {
        int index = position / Key.BlockSize;
        int block = index < NumTableEntries ? BlockTable[index] : -1;
        if ((uint)block >= (ulong)Key.NumBlocks)
            throw new InvalidOperationException($"Position {position} maps to block {block} of {Key.NumBlocks}: the block table is wrong.");
        return block;
    }

    /// <summary>Addresses of channel 0 of positions [first, end) at their place in the tile from <paramref name="start"/> on; the others are null.</summary>
    public readonly void Rows(in CacheTensor cache, int head, int start, int first, int end, byte** rows)
    {
        new Span<nint>(rows, Panel.Width).Clear();
        for (int position = first; position < end;)
        {
            int offset = position % cache.BlockSize;
            int run = Math.Min(end - position, cache.TokensPerGroup - (offset % cache.TokensPerGroup));
            byte* row = cache.At(Block(position), offset, head);
            for (int i = 0; i < run; i++, row += cache.TokenBytes) rows[position - start + i] = row;
            position += run;
        }
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

    /// <summary>Rows of the next tile's positions before the tile's <see cref="KvTile.Ahead"/>; where there are none, those of <paramref name="rows"/>.</summary>
    public readonly void NextRows(in CacheTensor cache, int head, in KvTile tile, byte** rows, byte** next)
    {
        int start = tile.Start + Panel.Width;
        int end = Math.Min(start + Panel.Width, tile.Ahead);
        Rows(cache, head, start, Math.Min(start, end), end, next);
        for (int j = Math.Max(0, end - start); j < Panel.Width; j++) next[j] = rows[j];
    }
}
