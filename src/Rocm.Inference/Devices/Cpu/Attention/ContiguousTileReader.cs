using System.Runtime.CompilerServices;
using Rocm.Inference.Devices.Cpu.Panels;
using Rocm.Inference.Devices.Cpu.Simd;

namespace Rocm.Inference.Devices.Cpu.Attention;

/// <summary>Reads contiguous f32 rows, whose keys may have a second part that all heads share.</summary>
internal readonly unsafe struct ContiguousTileReader<TSimd, TVector> : IKvTileReader<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    // Both parts are padded to even, one after the other.
    public static long KeyPanelBytes(int headDim) => Panel.SizeBytes(PanelFormat.F32, headDim + 2);

    public static void LoadKeys(in KvTileSource source, int tile, int first, int end, byte* panel)
    {
        NhdTileReader<TSimd, TVector, F32Panel<TSimd, TVector>>.LoadKeys(source, tile, first, end, panel);
        int ropeDim = source.KeyRope.Dim;
        if (ropeDim == 0) return;
        byte** rows = stackalloc byte*[Panel.Width];
        NhdTileReader<TSimd, TVector, F32Panel<TSimd, TVector>>.Rows(source, source.KeyRope, tile, first, end, rows);
        int dim = source.Key.Dim;
        PanelPacker.Pack32((uint**)rows, ropeDim, (uint*)panel + ((long)dim * Panel.Width));
        if (((dim + ropeDim) & 1) != 0) new Span<float>((float*)panel + ((long)(dim + ropeDim) * Panel.Width), Panel.Width).Clear();
    }

    public static void LoadValues(in KvTileSource source, int tile, int first, int end, float* panels) =>
        LoadValues(source, tile, first, end, panels, Panel.Width * Panel.Width);

    /// <summary>Packs V with <paramref name="sliceStride"/> floats from one panel of 48 elements to the next.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void LoadValues(in KvTileSource source, int tile, int first, int end, float* panels, nint sliceStride)
    {
        byte** rows = stackalloc byte*[Panel.Width];
        NhdTileReader<TSimd, TVector, F32Panel<TSimd, TVector>>.Rows(source, source.Value, tile, first, end, rows);
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

    public static void Scores(int rows, int headDim, float* q, nint ldq, byte* panel, float* scores) =>
        NhdTileReader<TSimd, TVector, F32Panel<TSimd, TVector>>.Scores(rows, headDim, q, ldq, panel, scores);
}
