using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using Rocm.Inference.Devices.Cpu.Panels;
using Rocm.Inference.Devices.Cpu.Simd;

namespace Rocm.Inference.Devices.Cpu.Attention;

/// <summary>
/// Reads a paged cache of any layout. 8-bit floats are widened to bf16 first, which is exact; then only the distances differ. The next tile's memory is
/// asked for during the products of this one: rows of a head are far apart, which no hardware prefetcher follows.
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

    // From this many query rows on, K that comes in runs is transposed once for all of them and not read in place.
    private const int MinPanelRows = 32;

    private static bool IsF32 => typeof(TRow) == typeof(F32Rows<TSimd, TVector>);

    public static int SplitStep(in CacheTensor key)
    {
        if (typeof(TSimd) != typeof(Simd512) || !Avx512F.IsSupported || IsF32) return 0;
        if (key.Run < key.Dim && !key.DType.IsFloat8()) return key.BlockSize % KvTileSource.GroupLen == 0 ? KeyRunTile<Bf16Words>.StepElements : 0;
        return key.Dim % KeyRowTile<Bf16Words>.StepElements == 0 ? KeyRowTile<Bf16Words>.StepElements : 0;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static KeyForm LoadKeys(in KvTileSource source, in KvTile tile, in AttentionScratch scratch, int count)
    {
        byte** rows = scratch.KeyRows;
        int dim = source.Key.Dim;
        KeyForm form = SplitStep(source.Key) switch
        {
            0 => KeyForm.Panel,
            KeyRunTile<Bf16Words>.StepElements => count >= MinPanelRows ? KeyForm.LanePanel : KeyForm.Runs,
            _ => KeyForm.Rows,
        };
        bool inPlace = form is KeyForm.Rows or KeyForm.Runs;
        if (form == KeyForm.Rows && tile.HeadIndex > 0 && source.Key.Run == dim && !source.Key.DType.IsFloat8())
        {
            KvTileSource.Advance(rows, source.Key.HeadBytes);
            *scratch.KeyAhead = scratch.KeyAhead->NextHead();
            return form;
        }

        bool grouped = source.Key.Run < dim && source.Key.BlockSize % KvTileSource.GroupLen == 0;
        if (grouped) source.GroupedKeyRows(source.Key, source.Head, tile, rows);
        else source.KeyRows(source.Key, source.Head, tile, rows);
        if (tile.HeadIndex == 0) CacheAhead.Touch(source, source.Key, tile);
        *scratch.KeyAhead = tile.HeadIndex > 0
            ? scratch.KeyAhead->NextHead()
            : CacheAhead.OfNextTile(source, source.Key, tile, rows, dim, KeyTile<TSimd, TVector, TPanel>.StepElements, scratch.KeyLines);
        if (source.Key.DType.IsFloat8())
        {
            int stride = AttentionScratch.WideStride(dim);
            for (int j = tile.First - tile.Start; j < tile.End - tile.Start; j++)
            {
                ushort* wide = scratch.WideKeys + (j * stride);
                Widen(source.Key, scratch.Table, rows[j], wide);
                rows[j] = (byte*)wide;
            }

            for (int j = 0; j < Panel.Width; j++)
            {
                if (j < tile.First - tile.Start || j >= tile.End - tile.Start) rows[j] = rows[tile.First - tile.Start];
            }

            if (!inPlace) PanelPacker.Pack16((ushort**)rows, dim, (uint*)scratch.KeyPanel);
        }
        else if (source.Key.Run < dim && !inPlace)
        {
            PanelPacker.PackRuns(rows, dim / source.Key.Run, source.Key.RunBytes, grouped, (uint*)scratch.KeyPanel);
        }
        else if (IsF32)
        {
            PanelPacker.Pack32((uint**)rows, dim, (uint*)scratch.KeyPanel);
        }
        else if (!inPlace)
        {
            PanelPacker.Pack16((ushort**)rows, dim, (uint*)scratch.KeyPanel);
        }

        return form;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static ValueForm LoadValues(in KvTileSource source, in KvTile tile, in AttentionScratch scratch, int rows, bool inFloats)
    {
        ref readonly CacheTensor cache = ref source.Value;
        inFloats |= rows > MaxDirectRows;
        if (cache.Run < cache.Dim)
        {
            if (tile.HeadIndex == 0) CacheAhead.Touch(source, cache, tile);
            FindValuesAhead(source, tile, scratch, ValueTile<TSimd, TVector, TRow>.StepElements);
            if (IsF32 || inFloats || cache.BlockSize % (16 / cache.ElementBytes) != 0)
            {
                LoadColumns(source, tile, scratch);
                return ValueForm.Floats;
            }

            LoadColumnPairs(source, tile, scratch);
            return ValueForm.Pairs;
        }

        int first = tile.First - tile.Start, end = tile.End - tile.Start;
        byte** found = scratch.ValueRows;
        if (cache.SharesRowsOf(source.Key))
        {
            // Latent rows: V is the front of K, which has been found, widened and asked for already.
            new ReadOnlySpan<nint>(scratch.KeyRows, Panel.Width).CopyTo(new Span<nint>(found, Panel.Width));
            *scratch.ValueAhead = new CacheAhead { Rows = found };
        }
        else
        {
            if (tile.HeadIndex > 0 && !cache.DType.IsFloat8() && cache.Dim % TSimd.Count == 0 && !inFloats) KvTileSource.Advance(found, cache.HeadBytes);
            else source.Rows(cache, source.Head, tile.Start, tile.First, tile.End, found);
            if (tile.HeadIndex == 0) CacheAhead.Touch(source, cache, tile);
            int step = ValueTile<TSimd, TVector, TRow>.StepElements;
            if (step == KeyTile<TSimd, TVector, TPanel>.StepElements && cache.IsLaidOutLike(source.Key)) *scratch.ValueAhead = scratch.KeyAhead->Of(source.Key, cache);
            else FindValuesAhead(source, tile, scratch, step);
            int stride = AttentionScratch.WideStride(cache.Dim);
            for (int j = first; j < end && cache.DType.IsFloat8(); j++)
            {
                ushort* wide = scratch.WideValues + (j * stride);
                Widen(cache, scratch.Table, found[j], wide);
                found[j] = (byte*)wide;
            }
        }

        if (cache.Dim % TSimd.Count == 0 && !inFloats) return ValueForm.Elements;
        for (int j = first; j < end; j++)
        {
            float* target = scratch.ValueFloats + ((long)j * scratch.ValueStride);
            int d = 0;
            for (; d + (2 * TSimd.Count) <= cache.Dim; d += 2 * TSimd.Count)
            {
                TRow.Load(found[j], d, out TVector v0, out TVector v1);
                TSimd.Store(v0, target + d);
                TSimd.Store(v1, target + d + TSimd.Count);
            }

            for (; d + TSimd.Count <= cache.Dim; d += TSimd.Count) TSimd.Store(TRow.Load(found[j], d), target + d);
            if (d < cache.Dim) LoadTail(found[j], d, cache.Dim - d, target + d);
            found[j] = (byte*)target;
        }

        return ValueForm.Floats;
    }

    public static void Scores(in KvTileSource source, in KvTile tile, in AttentionScratch scratch, int headDim, KeyForm form, int row, int count)
    {
        nint stride = scratch.QueryStride;
        float* q = scratch.Queries + (row * stride), c = scratch.Scores + ((long)row * Panel.Width);
        switch (form)
        {
            case KeyForm.Panel:
                KeyTile<TSimd, TVector, TPanel>.Multiply(count, (headDim + 1) / 2, q, stride, scratch.KeyPanel, *scratch.KeyAhead, c);
                break;
            case KeyForm.LanePanel:
                KeyLaneTile<TSimd, TVector, TPanel>.Multiply(count, headDim, q, stride, scratch.KeyPanel, *scratch.KeyAhead, c);
                break;
            default:
                if (typeof(TRow) == typeof(F16Rows<TSimd, TVector>)) ScoresInPlace<F16Words>(source, tile, scratch, form, q, count, c);
                else ScoresInPlace<Bf16Words>(source, tile, scratch, form, q, count, c);
                break;
        }
    }

    private static void ScoresInPlace<TWords>(in KvTileSource source, in KvTile tile, in AttentionScratch scratch, KeyForm form, float* q, int count, float* c)
        where TWords : struct, IWordReader
    {
        int first = tile.First - tile.Start, end = tile.End - tile.Start, dim = source.Key.Dim;
        nint stride = scratch.QueryStride;
        if (form == KeyForm.Rows) KeyRowTile<TWords>.Multiply(count, first, end, dim, q, stride, scratch.KeyRows, *scratch.KeyAhead, c);
        else KeyRunTile<TWords>.Multiply(count, first, end, dim, q, stride, scratch.KeyRows, (nint)source.Key.RunBytes, *scratch.KeyAhead, c);
    }

    public static void AddValues(in KvTile tile, in AttentionScratch scratch, int valueDim, ValueForm form, int row, int count)
    {
        int first = tile.First - tile.Start, end = tile.End - tile.Start;
        int columns = (valueDim + TSimd.Count - 1) / TSimd.Count * TSimd.Count;
        float* p = scratch.Scores + ((long)row * Panel.Width), c = scratch.Values + ((long)row * scratch.ValueStride);
        byte** rows = scratch.ValueRows;
        if (end - first < Panel.Width) scratch.ValueAhead->AskOthers(first, end);
        switch (form)
        {
            case ValueForm.Floats:
                ValueTile<TSimd, TVector, F32Rows<TSimd, TVector>>.MultiplyAdd(count, first, end, p, Panel.Width, rows, *scratch.ValueAhead, columns, c, scratch.ValueStride);
                break;
            case ValueForm.Pairs:
                ValuePairTile<TSimd, TVector, TPanel>.MultiplyAdd(count, first & ~1, end, p, Panel.Width, rows, *scratch.ValueAhead, columns, c, scratch.ValueStride);
                break;
            default:
                ValueTile<TSimd, TVector, TRow>.MultiplyAdd(count, first, end, p, Panel.Width, rows, *scratch.ValueAhead, columns, c, scratch.ValueStride);
                break;
        }
    }

    public static int AttendGroups(in KvTileSource source, in KvTile tile, in AttentionScratch scratch, int valueDim, KeyForm keys, ValueForm values, int row, int count)
    {
        int step = ValueTile<TSimd, TVector, TRow>.StepElements;
        if (keys is not (KeyForm.Rows or KeyForm.Runs) || valueDim % step != 0) return 0;
        int first = tile.First - tile.Start, end = tile.End - tile.Start, groups = count / QueryGroup.Rows;
        for (int group = 0; group < groups; group++, row += QueryGroup.Rows)
        {
            float* scores = scratch.Scores + ((long)row * Panel.Width), sums = scratch.Values + ((long)row * scratch.ValueStride);
            CacheAhead keysAhead = group == 0 ? *scratch.KeyAhead : new CacheAhead { Rows = scratch.KeyRows };
            if (typeof(TRow) == typeof(F16Rows<TSimd, TVector>)) GroupScores<F16Words>(source, scratch, keys, first, end, row, keysAhead, scores);
            else GroupScores<Bf16Words>(source, scratch, keys, first, end, row, keysAhead, scores);
            QueryGroup.Softmax(scores, first, end, scratch.Max + row, scratch.Sum + row, sums, scratch.ValueStride);
            if (group == 0 && end - first < Panel.Width) scratch.ValueAhead->AskOthers(first, end);
            CacheAhead valuesAhead = group == 0 ? *scratch.ValueAhead : new CacheAhead { Rows = scratch.ValueRows };
            if (values == ValueForm.Elements) ValueGroupTile<TSimd, TVector, TRow>.MultiplyAdd(first, end, scores, scratch.ValueRows, valuesAhead, valueDim, sums, scratch.ValueStride);
            else if (values == ValueForm.Floats) ValueGroupTile<TSimd, TVector, F32Rows<TSimd, TVector>>.MultiplyAdd(first, end, scores, scratch.ValueRows, valuesAhead, valueDim, sums, scratch.ValueStride);
            else ValuePairGroupTile<TSimd, TVector, TPanel>.MultiplyAdd(first & ~1, end, scores, scratch.ValueRows, valuesAhead, valueDim, sums, scratch.ValueStride);
        }

        return groups * QueryGroup.Rows;
    }

    private static void GroupScores<TWords>(in KvTileSource source, in AttentionScratch scratch, KeyForm keys, int first, int end, int row, in CacheAhead ahead, float* c)
        where TWords : struct, IWordReader
    {
        int dim = source.Key.Dim, stride = scratch.QueryStride;
        long at = (long)row * stride;
        if (keys == KeyForm.Rows) KeyGroupTile<TWords>.Multiply(first, end, dim, scratch.GroupQueries + at, scratch.KeyRows, ahead, c);
        else KeyRunTile<TWords>.MultiplyGroup(first, end, dim, scratch.Queries + at, stride, scratch.KeyRows, (nint)source.Key.RunBytes, ahead, c);
    }

    private static void FindValuesAhead(in KvTileSource source, in KvTile tile, in AttentionScratch scratch, int step) => *scratch.ValueAhead = tile.HeadIndex > 0
        ? scratch.ValueAhead->NextHead()
        : CacheAhead.OfNextTile(source, source.Value, tile, scratch.ValueRows, source.Value.Dim, step, scratch.ValueLines);

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
            float* target = scratch.ValueFloats + ((long)(position - tile.Start) * stride);
            if (!cache.DType.IsFloat8())
            {
                ValueColumns<TSimd, TVector>.Load(at, (nint)cache.RunBytes, cache.Dim, cache.DType, target, stride);
                continue;
            }

            const int Piece = Float8Pieces<TSimd, TVector>.Piece, WideBytes = Piece * sizeof(ushort);
            Float8Pieces<TSimd, TVector>.Widen(cache.DType, scratch.Table, at, (nint)cache.RunBytes, cache.Dim, scratch.WideValues);
            ValueColumns<TSimd, TVector>.Load((byte*)scratch.WideValues, WideBytes, cache.Dim, DType.BF16, target, stride);
            ValueColumns<TSimd, TVector>.Load((byte*)scratch.WideValues + (WideBytes / 2), WideBytes, cache.Dim, DType.BF16, target + (8L * stride), stride);
        }
    }

    /// <summary>The same as rows of pairs, for few query rows: they take half the memory, and widening them is as much work as reading them.</summary>
    private static void LoadColumnPairs(in KvTileSource source, in KvTile tile, in AttentionScratch scratch)
    {
        ref readonly CacheTensor cache = ref source.Value;
        int perUnit = 16 / cache.ElementBytes, stride = scratch.ValueStride;
        uint* words = (uint*)scratch.ValueFloats;
        for (int j = 0; j < Panel.Width; j++) scratch.ValueRows[j] = (byte*)(words + ((long)(j / 2) * stride));
        int position = tile.First / perUnit * perUnit;
        (int index, int offset) = Math.DivRem(position, cache.BlockSize);
        bool wide = Avx512F.IsSupported && !cache.DType.IsFloat8() && cache.TokensPerGroup == cache.BlockSize && cache.BlockSize % 16 == 0 && cache.Dim % 16 == 0;
        for (; position < tile.End; position += perUnit, offset += perUnit)
        {
            if (offset >= cache.BlockSize)
            {
                index++;
                offset = 0;
            }

            byte* at = cache.At(source.BlockAt(index), offset, source.Head);
            uint* target = words + ((long)(position - tile.Start) / 2 * stride);
            if (wide && offset % 16 == 0 && position + perUnit < tile.End)
            {
                ValueColumns<TSimd, TVector>.LoadWidePairs(at, (nint)cache.RunBytes, cache.Dim, target, stride);
                position += perUnit;
                offset += perUnit;
                continue;
            }

            if (!cache.DType.IsFloat8())
            {
                ValueColumns<TSimd, TVector>.LoadPairs(at, (nint)cache.RunBytes, cache.Dim, target, stride);
                continue;
            }

            const int Piece = Float8Pieces<TSimd, TVector>.Piece, WideBytes = Piece * sizeof(ushort);
            Float8Pieces<TSimd, TVector>.Widen(cache.DType, scratch.Table, at, (nint)cache.RunBytes, cache.Dim, scratch.WideValues);
            ValueColumns<TSimd, TVector>.LoadPairs((byte*)scratch.WideValues, WideBytes, cache.Dim, target, stride);
            ValueColumns<TSimd, TVector>.LoadPairs((byte*)scratch.WideValues + (WideBytes / 2), WideBytes, cache.Dim, target + (4L * stride), stride);
        }

        // The half of a pair that is not of the tile's positions may hold anything, and 0 times NaN is NaN.
        int first = tile.First - tile.Start, end = tile.End - tile.Start;
        if ((first & 1) != 0) ValueColumns<TSimd, TVector>.Mask((uint*)scratch.ValueRows[first], cache.Dim, 0xFFFF0000);
        if ((end & 1) != 0) ValueColumns<TSimd, TVector>.Mask((uint*)scratch.ValueRows[end], cache.Dim, 0x0000FFFF);
    }

    /// <summary>A token's 8-bit floats as consecutive bf16.</summary>
    private static void Widen(in CacheTensor cache, byte* table, byte* row, ushort* wide)
    {
        const int Piece = Float8Pieces<TSimd, TVector>.Piece;
        nint stride = cache.Run < cache.Dim ? (nint)cache.RunBytes : Piece;
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
