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
        Transpose((uint**)rows, words, panel);
        if ((columns & 1) == 0) return;
        uint* last = panel + ((long)words * Panel.Width);
        for (int j = 0; j < Panel.Width; j++) last[j] = rows[j] == null ? 0u : rows[j][columns - 1];
    }

    /// <summary>Packs rows of floats.</summary>
    /// <param name="rows">48 addresses of the first element; null for a column of zeros.</param>
    /// <param name="columns">Elements of a row.</param>
    /// <param name="panel">[columns rounded up to even][48] floats.</param>
    public static void Pack32(uint** rows, int columns, uint* panel)
    {
        Transpose(rows, columns, panel);
        if ((columns & 1) != 0) new Span<uint>(panel + ((long)columns * Panel.Width), Panel.Width).Clear();
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Transpose(uint** rows, int words, uint* panel)
    {
        // Strips of 64 bytes (one cache line of each row), groups of 4 rows, blocks of 4 × 4 words.
        for (int strip = 0; strip < words; strip += 16)
        {
            int end = Math.Min(words, strip + 16);
            for (int j = 0; j < Panel.Width; j += 4)
            {
                uint* r0 = rows[j], r1 = rows[j + 1], r2 = rows[j + 2], r3 = rows[j + 3];
                uint* target = panel + ((long)strip * Panel.Width) + j;
                int i = strip;
                if (r0 != null && r1 != null && r2 != null && r3 != null)
                {
                    for (; i + 4 <= end; i += 4, target += 4 * Panel.Width)
                        Transpose4(Vector128.Load(r0 + i), Vector128.Load(r1 + i), Vector128.Load(r2 + i), Vector128.Load(r3 + i), target);
                }

                for (; i < end; i++, target += Panel.Width)
                {
                    target[0] = r0 == null ? 0 : r0[i];
                    target[1] = r1 == null ? 0 : r1[i];
                    target[2] = r2 == null ? 0 : r2[i];
                    target[3] = r3 == null ? 0 : r3[i];
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Transpose4(Vector128<uint> a, Vector128<uint> b, Vector128<uint> c, Vector128<uint> d, uint* target)
    {
        Vector128<uint> abLow = ZipLow(a, b), abHigh = ZipHigh(a, b), cdLow = ZipLow(c, d), cdHigh = ZipHigh(c, d);
        ZipLowPairs(abLow, cdLow).Store(target);
        ZipHighPairs(abLow, cdLow).Store(target + Panel.Width);
        ZipLowPairs(abHigh, cdHigh).Store(target + (2 * Panel.Width));
        ZipHighPairs(abHigh, cdHigh).Store(target + (3 * Panel.Width));
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
