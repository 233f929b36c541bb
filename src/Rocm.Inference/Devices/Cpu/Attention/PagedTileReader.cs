using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using Rocm.Inference.Devices.Cpu.Panels;
using Rocm.Inference.Devices.Cpu.Simd;

namespace Rocm.Inference.Devices.Cpu.Attention;

/// <summary>
/// Reads a paged cache of any layout. 8-bit floats are widened to bf16 first, which is exact; then only the distances differ. The next tile's memory is
/// asked for while this one is packed and multiplied: rows of a head are far apart, which no hardware prefetcher follows.
/// </summary>
/// <typeparam name="TSimd">Vector operations.</typeparam>
/// <typeparam name="TVector">Their vector.</typeparam>
/// <typeparam name="TPanel">Reader of a panel of the cache's elements (of bf16 for 8-bit floats).</typeparam>
/// <typeparam name="TRow">Reader of a row of the same.</typeparam>
internal readonly unsafe struct PagedTileReader<TSimd, TVector, TPanel, TRow> : IKvTileReader<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
    where TPanel : struct, IPanelReader<TSimd, TVector>
    where TRow : struct, IRowReader<TSimd, TVector>
{
    // With more query rows than this it pays to widen V once, to rows that lie side by side.
    private const int MaxDirectRows = 16;

    private static bool IsF32 => typeof(TRow) == typeof(F32Rows<TSimd, TVector>);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void LoadKeys(in KvTileSource source, in KvTile tile, in AttentionScratch scratch)
    {
        byte** rows = scratch.KeyRows, next = scratch.NextKeyRows;
        int dim = source.Key.Dim;
        source.KeyRows(source.Key, source.Head, tile, rows);
        source.NextRows(source.Key, source.Head, tile, rows, next);

        // Latent rows are asked for while they are multiplied as values: memory needs that long to bring them.
        byte** ahead = source.Value.SharesRowsOf(source.Key) ? null : next;
        if (source.Key.DType.IsFloat8())
        {
            int stride = AttentionScratch.WideStride(dim);
            for (int j = tile.First - tile.Start; j < tile.End - tile.Start; j++)
            {
                ushort* wide = scratch.WideKeys + (j * stride);
                Widen(source.Key, scratch.Table, rows[j], next[j], wide);
                rows[j] = (byte*)wide;
            }

            for (int j = 0; j < Panel.Width; j++)
            {
                if (j < tile.First - tile.Start || j >= tile.End - tile.Start) rows[j] = rows[tile.First - tile.Start];
            }

            PanelPacker.Pack16((ushort**)rows, dim, (uint*)scratch.KeyPanel);
        }
        else if (source.Key.Run < dim)
        {
            PanelPacker.PackRuns(rows, dim / source.Key.Run, source.Key.RunBytes, (uint*)scratch.KeyPanel, ahead);
        }
        else if (IsF32)
        {
            PanelPacker.Pack32((uint**)rows, dim, (uint*)scratch.KeyPanel, ahead);
        }
        else
        {
            PanelPacker.Pack16((ushort**)rows, dim, (uint*)scratch.KeyPanel, ahead);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static bool LoadValues(in KvTileSource source, in KvTile tile, in AttentionScratch scratch, int rows)
    {
        ref readonly CacheTensor cache = ref source.Value;
        if (cache.Run < cache.Dim)
        {
            LoadColumns(source, tile, scratch);
            return true;
        }

        int first = tile.First - tile.Start, end = tile.End - tile.Start;
        byte** found = scratch.ValueRows;
        if (cache.SharesRowsOf(source.Key))
        {
            // Latent rows: V is the front of K, which has been found and widened already. What was widened has been asked for, too.
            byte** next = cache.DType.IsFloat8() ? found : scratch.NextKeyRows;
            new ReadOnlySpan<nint>(scratch.KeyRows, Panel.Width).CopyTo(new Span<nint>(found, Panel.Width));
            new ReadOnlySpan<nint>(next, Panel.Width).CopyTo(new Span<nint>(scratch.NextValueRows, Panel.Width));
            if (next != found && Sse.IsSupported)
            {
                for (int j = first; j < end; j++)
                {
                    for (int i = cache.Dim * TRow.ElementBytes; i < source.Key.Dim * TRow.ElementBytes; i += 64) Sse.Prefetch0(next[j] + i);
                }
            }
        }
        else
        {
            source.Rows(cache, source.Head, tile.Start, tile.First, tile.End, found);
            source.NextRows(cache, source.Head, tile, found, scratch.NextValueRows);
            if (cache.DType.IsFloat8())
            {
                int stride = AttentionScratch.WideStride(cache.Dim);
                for (int j = first; j < end; j++)
                {
                    ushort* wide = scratch.WideValues + (j * stride);
                    Widen(cache, scratch.Table, found[j], scratch.NextValueRows[j], wide);
                    found[j] = (byte*)wide;
                    scratch.NextValueRows[j] = found[j];
                }
            }
        }

        if (cache.Dim % TSimd.Count == 0 && rows <= MaxDirectRows) return false;
        for (int j = first; j < end; j++)
        {
            float* target = scratch.ValueFloats + ((long)j * scratch.ValueStride);
            byte* next = scratch.NextValueRows[j];
            if (Sse.IsSupported)
            {
                for (int i = 0; i < cache.Dim * TRow.ElementBytes; i += 64) Sse.Prefetch0(next + i);
            }

            int d = 0;
            for (; d + TSimd.Count <= cache.Dim; d += TSimd.Count) TSimd.Store(TRow.Load(found[j], d), target + d);
            if (d < cache.Dim) LoadTail(found[j], d, cache.Dim - d, target + d);
            found[j] = (byte*)target;
        }

        return true;
    }

    public static void Scores(int rows, int headDim, float* q, nint ldq, byte* panel, float* scores) =>
        PanelTile<TSimd, TVector, TPanel>.Multiply(rows, (headDim + 1) / 2, q, ldq, panel, scores, Panel.Width, add: false);

    public static void AddValues(in KvTile tile, in AttentionScratch scratch, int valueDim, bool floats, int row, int count)
    {
        int first = tile.First - tile.Start, end = tile.End - tile.Start;
        int columns = (valueDim + TSimd.Count - 1) / TSimd.Count * TSimd.Count;
        float* p = scratch.Scores + ((long)row * Panel.Width), c = scratch.Values + ((long)row * scratch.ValueStride);
        if (floats)
            ValueTile<TSimd, TVector, F32Rows<TSimd, TVector>>.MultiplyAdd(count, first, end, p, Panel.Width, scratch.ValueRows, scratch.ValueRows, columns, c, scratch.ValueStride);
        else
            ValueTile<TSimd, TVector, TRow>.MultiplyAdd(count, first, end, p, Panel.Width, scratch.ValueRows, scratch.NextValueRows, columns, c, scratch.ValueStride);
    }

    /// <summary>V whose tokens lie side by side: 16 bytes of tokens at a time become rows of floats.</summary>
    private static void LoadColumns(in KvTileSource source, in KvTile tile, in AttentionScratch scratch)
    {
        ref readonly CacheTensor cache = ref source.Value;
        int perUnit = 16 / cache.ElementBytes, stride = scratch.ValueStride;
        for (int j = 0; j < Panel.Width; j++) scratch.ValueRows[j] = (byte*)(scratch.ValueFloats + ((long)j * stride));
        if (cache.BlockSize % perUnit != 0)
        {
            for (int position = tile.First; position < tile.End; position++)
            {
                byte* at = cache.At(source.Block(position), position % cache.BlockSize, source.Head);
                CacheElements<TSimd, TVector>.Load(cache, at, (float*)scratch.ValueRows[position - tile.Start], 1);
            }

            return;
        }

        // Tiles start at multiples of 16, and a unit lies in one block: what it holds besides the tile's positions is widened and not used.
        for (int position = tile.First / perUnit * perUnit; position < tile.End; position += perUnit)
        {
            byte* at = cache.At(source.Block(position), position % cache.BlockSize, source.Head);
            int later = position + Panel.Width;
            byte* ahead = later < tile.Ahead ? cache.At(source.Block(later), later % cache.BlockSize, source.Head) : null;
            float* target = scratch.ValueFloats + ((long)(position - tile.Start) * stride);
            if (!cache.DType.IsFloat8())
            {
                ValueColumns<TSimd, TVector>.Load(at, (nint)cache.RunBytes, ahead, cache.Dim, cache.DType, target, stride);
                continue;
            }

            const int Piece = Float8Pieces<TSimd, TVector>.Piece, WideBytes = Piece * sizeof(ushort);
            if (ahead != null && Sse.IsSupported)
            {
                for (int c = 0; c < cache.Dim; c += (int)Math.Max(1, 64 / cache.RunBytes)) Sse.Prefetch0(ahead + (c * cache.RunBytes));
            }

            Float8Pieces<TSimd, TVector>.Widen(cache.DType, scratch.Table, at, (nint)cache.RunBytes, cache.Dim, scratch.WideValues);
            ValueColumns<TSimd, TVector>.Load((byte*)scratch.WideValues, WideBytes, null, cache.Dim, DType.BF16, target, stride);
            ValueColumns<TSimd, TVector>.Load((byte*)scratch.WideValues + (WideBytes / 2), WideBytes, null, cache.Dim, DType.BF16, target + (8L * stride), stride);
        }
    }

    /// <summary>A token's 8-bit floats as consecutive bf16.</summary>
    private static void Widen(in CacheTensor cache, byte* table, byte* row, byte* next, ushort* wide)
    {
        const int Piece = Float8Pieces<TSimd, TVector>.Piece;
        nint stride = cache.Run < cache.Dim ? (nint)cache.RunBytes : Piece;
        if (Sse.IsSupported)
        {
            // Chunks of neighbouring tokens share cache lines: every fourth token asks for them.
            if (stride == Piece) for (int i = 0; i < cache.Dim; i += 64) Sse.Prefetch0(next + i);
            else if (((nint)next & 48) == 0) for (int i = 0; i < cache.Dim / Piece; i++) Sse.Prefetch0(next + (i * stride));
        }

        int pieces = cache.Dim / Piece, rest = cache.Dim % Piece;
        Float8Pieces<TSimd, TVector>.Widen(cache.DType, table, row, stride, pieces, wide);
        if (rest > 0) Float8Pieces<TSimd, TVector>.WidenRow(cache.DType, row + (pieces * Piece), wide + (pieces * Piece), rest);
    }

    private static void LoadTail(byte* row, int from, int count, float* target)
    {
        byte* bytes = stackalloc byte[16 * sizeof(float)];
        Unsafe.InitBlockUnaligned(bytes, 0, 16 * sizeof(float));
        Unsafe.CopyBlockUnaligned(bytes, row + (from * TRow.ElementBytes), (uint)(count * TRow.ElementBytes));
        TSimd.Store(TRow.Load(bytes, 0), target);
    }
}
