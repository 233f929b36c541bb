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
    public static void Pack16(ushort** rows, int columns, uint* panel)
    {
        int words = columns / 2;
        Transpose((byte**)rows, words, panel);
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
        Transpose(rows, words, panel);
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
    public static void Pack32(uint** rows, int columns, uint* panel)
    {
        Transpose((byte**)rows, columns, panel);
        if ((columns & 1) != 0) new Span<uint>(panel + ((long)columns * Panel.Width), Panel.Width).Clear();
    }

    /// <summary>Packs rows that come in runs of 16 bytes, at the same distance for every row.</summary>
    /// <param name="rows">48 addresses of the first run; null for a column of zeros.</param>
    /// <param name="runs">Runs of a row.</param>
    /// <param name="runBytes">From a run to the next.</param>
    /// <param name="grouped">True when 16 rows at a time, from the first on, are 16 bytes apart.</param>
    /// <param name="panel">[4 · runs][48] words.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void PackRuns(byte** rows, int runs, long runBytes, bool grouped, uint* panel)
    {
        for (int j = 0; j < Panel.Width; j += 16)
        {
            uint* target = panel + j;
            bool full = !AnyNull(rows + j);
            for (int run = 0; run < runs; run++, target += 4 * Panel.Width)
            {
                long offset = run * runBytes;
                if (full && grouped) Transpose16(rows[j] + offset, 16, target, Panel.Width);
                else if (full) Transpose16(rows + j, offset, target, Panel.Width);
                else CopyWords(rows + j, offset, 4, target);
            }
        }
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
            // Rows 0, 4, 8 and 12 in one vector, so that unpacking within 128 bits puts the words of 16 rows side by side.
            Unpack(
                Four(rows[0] + offset, rows[4] + offset, rows[8] + offset, rows[12] + offset),
                Four(rows[1] + offset, rows[5] + offset, rows[9] + offset, rows[13] + offset),
                Four(rows[2] + offset, rows[6] + offset, rows[10] + offset, rows[14] + offset),
                Four(rows[3] + offset, rows[7] + offset, rows[11] + offset, rows[15] + offset),
                out Vector512<uint> w0, out Vector512<uint> w1, out Vector512<uint> w2, out Vector512<uint> w3);
            w0.Store(target);
            w1.Store(target + stride);
            w2.Store(target + (2 * stride));
            w3.Store(target + (3 * stride));
            return;
        }

        for (int j = 0; j < 16; j += 4) Transpose4(Load(rows[j], offset), Load(rows[j + 1], offset), Load(rows[j + 2], offset), Load(rows[j + 3], offset), target + j, stride);
    }

    /// <summary>The same for rows at equal distances.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Transpose16(byte* first, nint rowBytes, uint* target, nint stride)
    {
        if (Avx512F.IsSupported)
        {
            Transpose16(first, rowBytes, out Vector512<uint> w0, out Vector512<uint> w1, out Vector512<uint> w2, out Vector512<uint> w3);
            w0.Store(target);
            w1.Store(target + stride);
            w2.Store(target + (2 * stride));
            w3.Store(target + (3 * stride));
            return;
        }

        for (int j = 0; j < 16; j += 4, first += 4 * rowBytes)
            Transpose4(Load(first, 0), Load(first, rowBytes), Load(first, 2 * rowBytes), Load(first, 3 * rowBytes), target + j, stride);
    }

    /// <summary>Word k of 16 rows at equal distances. Only with AVX-512.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Transpose16(byte* first, nint rowBytes, out Vector512<uint> w0, out Vector512<uint> w1, out Vector512<uint> w2, out Vector512<uint> w3)
    {
        if (rowBytes == 16)
        {
            Unpack(Vector512.Load((uint*)first), Vector512.Load((uint*)(first + 64)), Vector512.Load((uint*)(first + 128)), Vector512.Load((uint*)(first + 192)), out w0, out w1, out w2, out w3);
            Vector512<uint> order = Vector512.Create(0u, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
            w0 = Avx512F.PermuteVar16x32(w0, order);
            w1 = Avx512F.PermuteVar16x32(w1, order);
            w2 = Avx512F.PermuteVar16x32(w2, order);
            w3 = Avx512F.PermuteVar16x32(w3, order);
            return;
        }

        nint four = 4 * rowBytes;
        byte* second = first + rowBytes, third = second + rowBytes, fourth = third + rowBytes;
        Unpack(
            Four(first, first + four, first + (2 * four), first + (3 * four)),
            Four(second, second + four, second + (2 * four), second + (3 * four)),
            Four(third, third + four, third + (2 * four), third + (3 * four)),
            Four(fourth, fourth + four, fourth + (2 * four), fourth + (3 * four)),
            out w0, out w1, out w2, out w3);
    }

    /// <summary>Transposes 8 words of 16 rows at equal distances. Only with AVX-512.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Transpose16By8(byte* first, nint rowBytes, uint* target, nint stride)
    {
        // Rows 0 and 4 in one vector, and so on: after unpacking, 128-bit parts of words k and k + 4 take turns.
        byte* second = first + (8 * rowBytes);
        nint four = 4 * rowBytes;
        Unpack(
            Two(first, four), Two(first + rowBytes, four), Two(first + (2 * rowBytes), four), Two(first + (3 * rowBytes), four),
            out Vector512<uint> a0, out Vector512<uint> a1, out Vector512<uint> a2, out Vector512<uint> a3);
        Unpack(
            Two(second, four), Two(second + rowBytes, four), Two(second + (2 * rowBytes), four), Two(second + (3 * rowBytes), four),
            out Vector512<uint> b0, out Vector512<uint> b1, out Vector512<uint> b2, out Vector512<uint> b3);
        StoreTwo(a0, b0, target, stride);
        StoreTwo(a1, b1, target + stride, stride);
        StoreTwo(a2, b2, target + (2 * stride), stride);
        StoreTwo(a3, b3, target + (3 * stride), stride);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> Two(byte* row, nint distance) =>
        Avx512F.InsertVector256(Vector256.Load((uint*)row).ToVector512Unsafe(), Vector256.Load((uint*)(row + distance)), 1);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreTwo(Vector512<uint> a, Vector512<uint> b, uint* target, nint stride)
    {
        Avx512F.Shuffle4x128(a, b, 0x88).Store(target);
        Avx512F.Shuffle4x128(a, b, 0xDD).Store(target + (4 * stride));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Transpose(byte** rows, int words, uint* panel)
    {
        // Groups of 16 rows, blocks of 16 × 4 words.
        for (int j = 0; j < Panel.Width; j += 16)
        {
            uint* target = panel + j;
            int i = 0;
            if (!AnyNull(rows + j))
            {
                for (; i + 4 <= words; i += 4, target += 4 * Panel.Width) Transpose16(rows + j, i * sizeof(uint), target, Panel.Width);
            }

            CopyWords(rows + j, i * sizeof(uint), words - i, target);
        }
    }

    private static void CopyWords(byte** rows, long offset, int words, uint* target)
    {
        for (int i = 0; i < words; i++, target += Panel.Width)
        {
            for (int k = 0; k < 16; k++) target[k] = rows[k] == null ? 0 : *(uint*)(rows[k] + offset + (i * sizeof(uint)));
        }
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

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> Four(byte* a, byte* b, byte* c, byte* d)
    {
        Vector512<uint> four = Load(a, 0).ToVector256Unsafe().ToVector512Unsafe();
        four = Avx512F.InsertVector128(four, Load(b, 0), 1);
        four = Avx512F.InsertVector128(four, Load(c, 0), 2);
        return Avx512F.InsertVector128(four, Load(d, 0), 3);
    }

    /// <summary>Within each 128 bits: word k of the four operands side by side.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Unpack(
        Vector512<uint> a, Vector512<uint> b, Vector512<uint> c, Vector512<uint> d, out Vector512<uint> w0, out Vector512<uint> w1, out Vector512<uint> w2, out Vector512<uint> w3)
    {
        Vector512<ulong> abLow = Avx512F.UnpackLow(a, b).AsUInt64(), abHigh = Avx512F.UnpackHigh(a, b).AsUInt64();
        Vector512<ulong> cdLow = Avx512F.UnpackLow(c, d).AsUInt64(), cdHigh = Avx512F.UnpackHigh(c, d).AsUInt64();
        w0 = Avx512F.UnpackLow(abLow, cdLow).AsUInt32();
        w1 = Avx512F.UnpackHigh(abLow, cdLow).AsUInt32();
        w2 = Avx512F.UnpackLow(abHigh, cdHigh).AsUInt32();
        w3 = Avx512F.UnpackHigh(abHigh, cdHigh).AsUInt32();
    }

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
