using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using Rocm.Inference.Devices.Cpu.Panels;
using Rocm.Inference.Devices.Cpu.Simd;

namespace Rocm.Inference.Devices.Cpu.Attention;

/// <summary>
/// Brings 48 consecutive positions of one KV head from a cache into the form that products read: K as a panel whose columns are the positions,
/// V as float panels whose columns are 48 elements of the head and whose k are the positions. One implementation for each cache layout and
/// element type; the attention loop is generic over it.
/// </summary>
internal unsafe interface IKvTileReader<TSimd, TVector>
    where TSimd : ISimd<TVector>
    where TVector : struct
{
    /// <summary>Bytes that a K panel of a head needs.</summary>
    static abstract long KeyPanelBytes(int headDim);

    /// <summary>Packs K of positions [first, end) of the tile that starts at <paramref name="tile"/>; other columns are zero and not read.</summary>
    static abstract void LoadKeys(in KvTileSource source, int tile, int first, int end, byte* panel);

    /// <summary>Packs V likewise into [Dv/48 rounded up][48][48] floats; other rows and the elements past Dv are zero.</summary>
    static abstract void LoadValues(in KvTileSource source, int tile, int first, int end, float* panels);

    /// <summary>scores[rows, 48] = q[rows, headDim] · K.</summary>
    static abstract void Scores(int rows, int headDim, float* q, nint ldq, byte* panel, float* scores);
}

/// <summary>One sequence's cache of one KV head.</summary>
internal unsafe struct KvTileSource
{
    public NhdCache Key;
    public NhdCache Value;

    /// <summary>The rest of each key, shared by all heads; its dimension is 0 where there is none.</summary>
    public NhdCache KeyRope;
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
}

/// <summary>Reads the Nhd layout.</summary>
/// <typeparam name="TSimd">Vector operations.</typeparam>
/// <typeparam name="TVector">Their vector.</typeparam>
/// <typeparam name="TPanel">Reader of a panel of the cache's element type.</typeparam>
internal readonly unsafe struct NhdTileReader<TSimd, TVector, TPanel> : IKvTileReader<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
    where TPanel : struct, IPanelReader<TSimd, TVector>
{
    private static bool IsF32 => typeof(TPanel) == typeof(F32Panel<TSimd, TVector>);

    public static long KeyPanelBytes(int headDim) => (long)(headDim + 1) / 2 * TPanel.PairBytes;

    public static void LoadKeys(in KvTileSource source, int tile, int first, int end, byte* panel)
    {
        // V rows are asked for while K is packed: rows of a head are far apart, which no hardware prefetcher follows.
        byte** rows = stackalloc byte*[Panel.Width];
        Rows(source, source.Value, tile, first, end, rows);
        Prefetch(rows + (first - tile), end - first, source.Value.Dim);
        Rows(source, source.Key, tile, first, end, rows);
        Prefetch(rows + (first - tile), end - first, source.Key.Dim);
        if (IsF32) PanelPacker.Pack32((uint**)rows, source.Key.Dim, (uint*)panel);
        else PanelPacker.Pack16((ushort**)rows, source.Key.Dim, (uint*)panel);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void LoadValues(in KvTileSource source, int tile, int first, int end, float* panels)
    {
        byte** rows = stackalloc byte*[Panel.Width];
        Rows(source, source.Value, tile, first, end, rows);
        int dim = source.Value.Dim;
        for (int slice = 0; slice < dim; slice += Panel.Width, panels += Panel.Width * Panel.Width)
        {
            int count = Math.Min(Panel.Width, dim - slice);
            for (int j = 0; j < Panel.Width; j++)
            {
                float* target = panels + (j * Panel.Width);
                int i = 0;
                if (rows[j] != null)
                {
                    for (; i + TSimd.Count <= count; i += TSimd.Count) TSimd.Store(Load(rows[j], slice + i), target + i);
                    for (; i < count; i++) target[i] = LoadOne(rows[j], slice + i);
                }

                for (; i < Panel.Width; i++) target[i] = 0;
            }
        }
    }

    public static void Scores(int rows, int headDim, float* q, nint ldq, byte* panel, float* scores) =>
        PanelTile<TSimd, TVector, TPanel>.Multiply(rows, (headDim + 1) / 2, q, ldq, panel, scores, Panel.Width, add: false);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Load(byte* row, int index)
    {
        if (IsF32) return TSimd.Load((float*)row + index);
        return typeof(TPanel) == typeof(Bf16Panel<TSimd, TVector>) ? TSimd.LoadBf16((ushort*)row + index) : TSimd.LoadF16((ushort*)row + index);
    }

    private static void Prefetch(byte** rows, int count, int dim)
    {
        if (!Sse.IsSupported) return;
        int bytes = dim * (IsF32 ? 4 : 2);
        for (int j = 0; j < count; j++)
        {
            for (int i = 0; i < bytes; i += 64) Sse.Prefetch0(rows[j] + i);
        }
    }

    private static float LoadOne(byte* row, int index)
    {
        if (IsF32) return ((float*)row)[index];
        return typeof(TPanel) == typeof(Bf16Panel<TSimd, TVector>)
            ? BitConverter.UInt32BitsToSingle((uint)((ushort*)row)[index] << 16)
            : (float)((Half*)row)[index];
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Rows(in KvTileSource source, in NhdCache cache, int tile, int first, int end, byte** rows)
    {
        new Span<nint>(rows, Panel.Width).Clear();
        for (int position = first; position < end;)
        {
            int block = source.Block(position);
            int offset = position % cache.BlockSize;
            int run = Math.Min(end - position, cache.BlockSize - offset);
            byte* row = cache.Row(block, offset, source.Head);
            for (int i = 0; i < run; i++, row += cache.TokenBytes) rows[position - tile + i] = row;
            position += run;
        }
    }
}
