using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Rocm.Inference.Devices.Cpu.Panels;

namespace Rocm.Inference.Devices.Cpu.Attention;

/// <summary>
/// The cache lines of the next tile's keys or values. They are asked for one by one during the products of this tile: a burst would only wait for
/// the few requests that a processor can have on their way, and products that ask for nothing leave the memory idle. Lines are in the order of their
/// addresses, which the hardware's own prefetcher follows. Step s of position j asks for Rows[s · RowStep + j] + Offset.
/// </summary>
internal unsafe struct CacheAhead
{
    private const int LineBytes = 64;

    // Elements of a head that the narrowest register tile takes in a step.
    private const int MinStepElements = 8;

    public byte** Rows;
    public int RowStep;

    /// <summary>From a head's addresses to the next one's.</summary>
    public int HeadStep;

    /// <summary>Bytes that are added to every address.</summary>
    public nint Offset;

    /// <summary>The same steps over lines that have been asked for already.</summary>
    public readonly CacheAhead Again() => new() { Rows = Rows, Offset = Offset };

    /// <summary>Addresses that <see cref="OfNextTile"/> writes at most.</summary>
    public static int Bound(in CacheTensor cache)
    {
        int lines = (((cache.Dim * cache.ElementBytes) + LineBytes - 1) / LineBytes) + 1;
        int runs = cache.Run < cache.Dim ? cache.Dim / cache.Run : 1;
        return (Panel.Width * (Math.Max(lines, Math.Max(runs, cache.Dim / MinStepElements)) + 1)) + 8;
    }

    /// <summary>Asks for the lines of positions outside [first, end), which steps over these only do not ask for.</summary>
    public readonly void AskOthers(int first, int end)
    {
        if (!Sse.IsSupported) return;
        for (byte** lines = Rows; lines < Rows + HeadStep; lines += Panel.Width)
        {
            for (int j = 0; j < first; j++) Sse.Prefetch0(lines[j] + Offset);
            for (int j = end; j < Panel.Width; j++) Sse.Prefetch0(lines[j] + Offset);
        }
    }

    /// <summary>The steps of the next head.</summary>
    public readonly CacheAhead NextHead() => this with { Rows = Rows + HeadStep };

    /// <summary>Finds the lines of the tile after this one, of all its heads and as far as the same thread reads it, and shares them out over the heads' steps.</summary>
    /// <param name="source">The sequence.</param>
    /// <param name="cache">Its keys or values.</param>
    /// <param name="tile">This tile.</param>
    /// <param name="current">Addresses of this tile's rows: they stand where there is nothing to ask for.</param>
    /// <param name="dim">Elements of a head that are multiplied.</param>
    /// <param name="stepElements">Elements of a head that a step takes.</param>
    /// <param name="lines">Gets the addresses.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static CacheAhead OfNextTile(in KvTileSource source, in CacheTensor cache, in KvTile tile, byte** current, int dim, int stepElements, byte** lines)
    {
        int position = tile.Start + Panel.Width, end = Math.Min(position + Panel.Width, tile.Ahead);
        byte* any = current[tile.First - tile.Start];
        int count = 0, heads = Math.Max(1, tile.NumHeads);
        long headBytes = (long)cache.Dim * cache.ElementBytes;
        bool joined = cache.Run == cache.Dim && cache.HeadBytes == headBytes;
        while (position < end)
        {
            int offset = position % cache.BlockSize;
            int tokens = Math.Min(end - position, cache.TokensPerGroup == cache.BlockSize ? cache.BlockSize - offset : cache.TokensPerGroup - (offset % cache.TokensPerGroup));
            byte* at = cache.At(source.Block(position), offset, source.Head);
            long bytes = tokens * cache.TokenBytes;
            position += tokens;
            if (joined)
            {
                if (cache.TokenBytes == heads * headBytes) count = Add(at, bytes, lines, count);
                else for (int i = 0; i < tokens; i++, at += cache.TokenBytes) count = Add(at, heads * headBytes, lines, count);
                continue;
            }

            for (int head = 0; head < heads; head++, at += cache.HeadBytes)
            {
                byte* run = at;
                if (cache.Run == cache.Dim) for (int i = 0; i < tokens; i++, run += cache.TokenBytes) count = Add(run, headBytes, lines, count);
                else if (bytes == cache.RunBytes) count = Add(run, cache.Dim / cache.Run * bytes, lines, count);
                else for (int c = 0; c < cache.Dim; c += cache.Run, run += cache.RunBytes) count = Add(run, bytes, lines, count);
            }
        }

        // One line a step; what is more goes at once.
        int steps = (dim + stepElements - 1) / stepElements * Panel.Width;
        for (; count < heads * steps; count++) lines[count] = any;
        if (Sse.IsSupported)
        {
            for (int i = heads * steps; i < count; i++) Sse.Prefetch0(lines[i]);
        }

        return new CacheAhead { Rows = lines, RowStep = Panel.Width, HeadStep = steps };
    }

    /// <summary>
    /// Asks for a line of every page of the tile after the next one: what is asked for line by line later then finds its page's translation, which takes
    /// longer than a line where blocks lie anywhere.
    /// </summary>
    public static void Touch(in KvTileSource source, in CacheTensor cache, in KvTile tile)
    {
        const int PageBytes = 4096;
        int position = tile.Start + (2 * Panel.Width), end = Math.Min(position + Panel.Width, tile.Ahead), heads = Math.Max(1, tile.NumHeads);
        while (Sse.IsSupported && position < end)
        {
            int offset = position % cache.BlockSize, tokens = Math.Min(end - position, cache.BlockSize - offset);
            byte* at = cache.At(source.Block(position), offset, source.Head);
            byte* last = at + (cache.Run == cache.Dim ? tokens * cache.TokenBytes : heads * cache.HeadBytes) - 1;
            for (; at < last; at += PageBytes) Sse.Prefetch1(at);
            Sse.Prefetch1(last);
            position += tokens;
        }
    }

    /// <summary>The lines of a tensor with the same distances as another one, whose lines have been found.</summary>
    public readonly CacheAhead Of(in CacheTensor other, in CacheTensor cache) => this with { Offset = (nint)(cache.Address - other.Address) };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Add(byte* from, long bytes, byte** lines, int count)
    {
        // Eight at a time: up to seven past the end are overwritten or not counted.
        const int Count = 8;
        long line = (nint)from & -LineBytes, end = (nint)from + bytes;
        Vector512<long> eight = Vector512.Create(line) + Vector512.Create(0L, LineBytes, 2 * LineBytes, 3 * LineBytes, 4 * LineBytes, 5 * LineBytes, 6 * LineBytes, 7 * LineBytes);
        Vector512<long> step = Vector512.Create((long)Count * LineBytes);
        byte** target = lines + count;
        for (long at = line; at < end; at += Count * LineBytes, target += Count, eight += step) eight.Store((long*)target);
        return count + (int)((end - line + LineBytes - 1) / LineBytes);
    }
}
