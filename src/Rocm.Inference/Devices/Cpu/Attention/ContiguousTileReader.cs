using System.Runtime.CompilerServices;
using Rocm.Inference.Devices.Cpu.Panels;
using Rocm.Inference.Devices.Cpu.Simd;

namespace Rocm.Inference.Devices.Cpu.Attention;

/// <summary>Reads contiguous f32 rows, whose keys may have a second part that all heads share.</summary>
internal readonly unsafe struct ContiguousTileReader<TSimd, TVector> : IKvTileReader<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    public static int SplitStep(in CacheTensor key) => 0;

    public static KeyForm LoadKeys(in KvTileSource source, in KvTile tile, in AttentionScratch scratch, int count)
    {
        source.KeyRows(source.Key, source.Head, tile, scratch.KeyRows);
        *scratch.KeyAhead = CacheAhead.OfNextTile(
            source, source.Key, tile, scratch.KeyRows, source.Key.Dim + source.KeyRope.Dim, KeyTile<TSimd, TVector, F32Panel<TSimd, TVector>>.StepElements, scratch.KeyLines);
        PackKeys(source, tile, scratch.KeyPanel);
        return KeyForm.Panel;
    }

    public static ValueForm LoadValues(in KvTileSource source, in KvTile tile, in AttentionScratch scratch, int rows, bool inFloats) =>
        PagedTileReader<TSimd, TVector, F32Panel<TSimd, TVector>, F32Rows<TSimd, TVector>>.LoadValues(source, tile, scratch, rows, inFloats);

    /// <summary>Packs K: the two parts one after the other, padded to even.</summary>
    public static void PackKeys(in KvTileSource source, in KvTile tile, byte* panel)
    {
        byte** rows = stackalloc byte*[Panel.Width];
        source.KeyRows(source.Key, source.Head, tile, rows);
        int dim = source.Key.Dim, ropeDim = source.KeyRope.Dim;
        PanelPacker.Pack32((uint**)rows, dim, (uint*)panel);
        if (ropeDim == 0) return;
        source.KeyRows(source.KeyRope, 0, tile, rows);
        PanelPacker.Pack32((uint**)rows, ropeDim, (uint*)panel + ((long)dim * Panel.Width));
        if (((dim + ropeDim) & 1) != 0) new Span<float>((float*)panel + ((long)(dim + ropeDim) * Panel.Width), Panel.Width).Clear();
    }

    /// <summary>Packs V with <paramref name="sliceStride"/> floats from one panel of 48 elements to the next.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void PackValues(in KvTileSource source, in KvTile tile, float* panels, nint sliceStride)
    {
        byte** rows = stackalloc byte*[Panel.Width];
        source.Rows(source.Value, source.Head, tile.Start, tile.First, tile.End, rows);
        int dim = source.Value.Dim;
        for (int j = 0; j < Panel.Width; j++)
        {
            float* row = (float*)rows[j], panel = panels + (j * Panel.Width);
            for (int slice = 0; slice < dim; slice += Panel.Width, panel += sliceStride)
            {
                int count = row == null ? 0 : Math.Min(Panel.Width, dim - slice), i = 0;
                for (; i + TSimd.Count <= count; i += TSimd.Count) TSimd.Store(TSimd.Load(row + slice + i), panel + i);
                for (; i < count; i++) panel[i] = row[slice + i];
                for (; i < Panel.Width; i++) panel[i] = 0;
            }
        }
    }

    public static void Scores(in KvTileSource source, in KvTile tile, in AttentionScratch scratch, int headDim, KeyForm form, int row, int count) =>
        PagedTileReader<TSimd, TVector, F32Panel<TSimd, TVector>, F32Rows<TSimd, TVector>>.Scores(source, tile, scratch, headDim, form, row, count);

    public static void AddValues(in KvTile tile, in AttentionScratch scratch, int valueDim, ValueForm form, int row, int count) =>
        PagedTileReader<TSimd, TVector, F32Panel<TSimd, TVector>, F32Rows<TSimd, TVector>>.AddValues(tile, scratch, valueDim, form, row, count);

    public static int AttendGroups(in KvTileSource source, in KvTile tile, in AttentionScratch scratch, int valueDim, KeyForm keys, ValueForm values, int row, int count) => 0;
}
