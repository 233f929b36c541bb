using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Rocm.Inference.Devices.Cpu.Panels;

/// <summary>
/// Transposes up to 48 rows of elements into a panel. Works on 32-bit words (a float, or two 16-bit elements), so that all formats share it.
/// Never reads past the last element of a row.
/// </summary>
internal static unsafe class PanelPacker
{
    /// <summary>Packs rows of 16-bit elements.</summary>
    /// <param name="rows">48 addresses of the first element; null for a column of zeros.</param>
    /// <param name="columns">Elements of a row.</param>
    /// <param name="panel">[columns/2 rounded up][48] words.</param>
    /// <param name="next">Rows that are read later: the caches are asked for them. Null: none.</param>
    public static void Pack16(ushort** rows, int columns, uint* panel, byte** next = null)
    {
        int words = columns / 2;
        Transpose((byte**)rows, next, 0, words, panel);
        if ((columns & 1) == 0) return;
        uint* last = panel + ((long)words * Panel.Width);
        for (int j = 0; j < Panel.Width; j++) last[j] = rows[j] == null ? 0u : rows[j][columns - 1];
    }

    /// <summary>Packs rows of bytes: four 8-bit elements, or eight 4-bit ones, to a word.</summary>
    /// <param name="rows">48 addresses of the first byte; null for a column of zeros.</param>
    /// <param name="bytes">Bytes of a row.</param>
    /// <param name="panel">[bytes/4 rounded up][48] words.</param>
    public static void Pack8(byte** rows, int bytes, uint* panel)
    {
        int words = bytes / sizeof(uint), left = bytes % sizeof(uint);
        Transpose(rows, null, 0, words, panel);
        if (left == 0) return;
        uint* last = panel + ((long)words * Panel.Width);
        for (int j = 0; j < Panel.Width; j++)
        {
            last[j] = 0;
            if (rows[j] != null) Unsafe.CopyBlockUnaligned(last + j, rows[j] + bytes - left, (uint)left);
        }
    }

    /// <summary>Packs rows of floats.</summary>
    /// <param name="rows">48 addresses of the first element; null for a column of zeros.</param>
    /// <param name="columns">Elements of a row.</param>
    /// <param name="panel">[columns rounded up to even][48] floats.</param>
    /// <param name="next">Rows that are read later: the caches are asked for them. Null: none.</param>
    public static void Pack32(uint** rows, int columns, uint* panel, byte** next = null)
    {
        Transpose((byte**)rows, next, 0, columns, panel);
        if ((columns & 1) != 0) new Span<uint>(panel + ((long)columns * Panel.Width), Panel.Width).Clear();
    }

    /// <summary>Packs rows that come in runs of 16 bytes, at the same distance for every row.</summary>
    /// <param name="rows">48 addresses of the first run; null for a column of zeros.</param>
    /// <param name="runs">Runs of a row.</param>
    /// <param name="runBytes">From a run to the next.</param>
    /// <param name="panel">[4 · runs][48] words.</param>
    /// <param name="next">As for the others.</param>
    public static void PackRuns(byte** rows, int runs, long runBytes, uint* panel, byte** next = null)
    {
        for (int run = 0; run < runs; run++, panel += 4 * Panel.Width) Transpose(rows, next, run * runBytes, 4, panel);
    }

    /// <summary>Transposes 16 rows of 4 words.</summary>
    /// <param name="rows">16 addresses.</param>
    /// <param name="offset">Bytes from each address to the words.</param>
    /// <param name="target">[4][16] words.</param>
    /// <param name="stride">Words from a row of the target to the next.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Transpose16(byte** rows, long offset, uint* target, nint stride)
    {
        if (Avx512F.IsSupported)
        {
            Vector512<uint> a = Four(rows, offset), b = Four(rows + 1, offset), c = Four(rows + 2, offset), d = Four(rows + 3, offset);
            Vector512<ulong> abLow = Avx512F.UnpackLow(a, b).AsUInt64(), abHigh = Avx512F.UnpackHigh(a, b).AsUInt64();
            Vector512<ulong> cdLow = Avx512F.UnpackLow(c, d).AsUInt64(), cdHigh = Avx512F.UnpackHigh(c, d).AsUInt64();
            Avx512F.UnpackLow(abLow, cdLow).AsUInt32().Store(target);
            Avx512F.UnpackHigh(abLow, cdLow).AsUInt32().Store(target + stride);
            Avx512F.UnpackLow(abHigh, cdHigh).AsUInt32().Store(target + (2 * stride));
            Avx512F.UnpackHigh(abHigh, cdHigh).AsUInt32().Store(target + (3 * stride));
            return;
        }

        if (Avx2.IsSupported)
        {
            for (int half = 0; half < 16; half += 8, rows += 8, target += 8)
            {
                Vector256<uint> a = Two(rows, offset), b = Two(rows + 1, offset), c = Two(rows + 2, offset), d = Two(rows + 3, offset);
                Vector256<ulong> abLow = Avx2.UnpackLow(a, b).AsUInt64(), abHigh = Avx2.UnpackHigh(a, b).AsUInt64();
                Vector256<ulong> cdLow = Avx2.UnpackLow(c, d).AsUInt64(), cdHigh = Avx2.UnpackHigh(c, d).AsUInt64();
                Avx2.UnpackLow(abLow, cdLow).AsUInt32().Store(target);
                Avx2.UnpackHigh(abLow, cdLow).AsUInt32().Store(target + stride);
                Avx2.UnpackLow(abHigh, cdHigh).AsUInt32().Store(target + (2 * stride));
                Avx2.UnpackHigh(abHigh, cdHigh).AsUInt32().Store(target + (3 * stride));
            }

            return;
        }

        for (int j = 0; j < 16; j += 4) Transpose4(Load(rows[j], offset), Load(rows[j + 1], offset), Load(rows[j + 2], offset), Load(rows[j + 3], offset), target + j, stride);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Transpose(byte** rows, byte** next, long offset, int words, uint* panel)
    {
        // Strips of 64 bytes (one cache line of each row), groups of 16 rows, blocks of 16 × 4 words.
        for (int strip = 0; strip < words; strip += 16)
        {
            int end = Math.Min(words, strip + 16);
            for (int j = 0; j < Panel.Width; j += 16)
            {
                if (next != null) Prefetch(next + j, offset + (strip * sizeof(uint)), words >= 16 ? 1 : 16 / words);
                uint* target = panel + ((long)strip * Panel.Width) + j;
                int i = strip;
                if (!AnyNull(rows + j))
                {
                    for (; i + 4 <= end; i += 4, target += 4 * Panel.Width) Transpose16(rows + j, offset + (i * sizeof(uint)), target, Panel.Width);
                }

                for (; i < end; i++, target += Panel.Width)
                {
                    for (int k = 0; k < 16; k++) target[k] = rows[j + k] == null ? 0 : *(uint*)(rows[j + k] + offset + (i * sizeof(uint)));
                }
            }
        }
    }

    // Addresses may be null where there is no row: a prefetch of nothing is harmless.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(byte** rows, long offset, int step)
    {
        if (!Sse.IsSupported) return;
        for (int k = 0; k < 16; k += step) Sse.Prefetch0(rows[k] + offset);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool AnyNull(byte** rows)
    {
        bool any = false;
        for (int k = 0; k < 16; k++) any |= rows[k] == null;
        return any;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<uint> Load(byte* row, long offset) => Vector128.Load((uint*)(row + offset));

    // Rows 0, 4, 8 and 12, so that unpacking within 128 bits puts the words of 16 rows side by side.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> Four(byte** rows, long offset)
    {
        Vector512<uint> four = Load(rows[0], offset).ToVector256Unsafe().ToVector512Unsafe();
        four = Avx512F.InsertVector128(four, Load(rows[4], offset), 1);
        four = Avx512F.InsertVector128(four, Load(rows[8], offset), 2);
        return Avx512F.InsertVector128(four, Load(rows[12], offset), 3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<uint> Two(byte** rows, long offset) =>
        Avx2.InsertVector128(Load(rows[0], offset).ToVector256Unsafe(), Load(rows[4], offset), 1);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Transpose4(Vector128<uint> a, Vector128<uint> b, Vector128<uint> c, Vector128<uint> d, uint* target, nint stride)
    {
        Vector128<uint> abLow = ZipLow(a, b), abHigh = ZipHigh(a, b), cdLow = ZipLow(c, d), cdHigh = ZipHigh(c, d);
        ZipLowPairs(abLow, cdLow).Store(target);
        ZipHighPairs(abLow, cdLow).Store(target + stride);
        ZipLowPairs(abHigh, cdHigh).Store(target + (2 * stride));
        ZipHighPairs(abHigh, cdHigh).Store(target + (3 * stride));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<uint> ZipLow(Vector128<uint> a, Vector128<uint> b)
    {
        if (Sse2.IsSupported) return Sse2.UnpackLow(a, b);
        if (AdvSimd.Arm64.IsSupported) return AdvSimd.Arm64.ZipLow(a, b);
        return Vector128.Create(a[0], b[0], a[1], b[1]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<uint> ZipHigh(Vector128<uint> a, Vector128<uint> b)
    {
        if (Sse2.IsSupported) return Sse2.UnpackHigh(a, b);
        if (AdvSimd.Arm64.IsSupported) return AdvSimd.Arm64.ZipHigh(a, b);
        return Vector128.Create(a[2], b[2], a[3], b[3]);
    }

    // Not by GetLower and Create: halves of 64 bits go through memory on x64.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<uint> ZipLowPairs(Vector128<uint> a, Vector128<uint> b)
    {
        if (Sse2.IsSupported) return Sse2.UnpackLow(a.AsUInt64(), b.AsUInt64()).AsUInt32();
        if (AdvSimd.Arm64.IsSupported) return AdvSimd.Arm64.ZipLow(a.AsUInt64(), b.AsUInt64()).AsUInt32();
        return Vector128.Create(a[0], a[1], b[0], b[1]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<uint> ZipHighPairs(Vector128<uint> a, Vector128<uint> b)
    {
        if (Sse2.IsSupported) return Sse2.UnpackHigh(a.AsUInt64(), b.AsUInt64()).AsUInt32();
        if (AdvSimd.Arm64.IsSupported) return AdvSimd.Arm64.ZipHigh(a.AsUInt64(), b.AsUInt64()).AsUInt32();
        return Vector128.Create(a[2], a[3], b[2], b[3]);
    }
}
