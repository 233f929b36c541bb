using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Rocm.Inference.Devices.Cpu.Attention;

/// <summary>Brings keys that come in runs of 16 bytes (VectorizedX, Shuffled) into rows.</summary>
internal static unsafe class KeyRuns
{
    private const int RunBytes = 16;

    /// <param name="keys">48 addresses of the first run.</param>
    /// <param name="first">First key that is read.</param>
    /// <param name="end">End of the keys that are read.</param>
    /// <param name="runs">Runs of a key, a multiple of 4.</param>
    /// <param name="runStride">Bytes from a run of a key to the next.</param>
    /// <param name="grouped">True when 4 keys at a time, from the first on, are 16 bytes apart.</param>
    /// <param name="rows">[48, runs · 16] bytes.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Join(byte** keys, int first, int end, int runs, nint runStride, bool grouped, byte* rows)
    {
        nint rowBytes = (nint)runs * RunBytes;
        int from = first & ~3;
        rows += from * rowBytes;
        for (int j = from; j < end; j += 4, rows += 4 * rowBytes)
        {
            byte* source = keys[j];
            for (nint at = 0; at < rowBytes; at += 4 * RunBytes, source += 4 * runStride)
            {
                if (grouped)
                {
                    Join4(source, runStride, rows + at, rowBytes);
                    continue;
                }

                for (int k = 0; k < 4; k++)
                {
                    for (int run = 0; run < 4; run++)
                        Vector128.Load(keys[j + k] + ((at / RunBytes + run) * runStride)).Store(rows + (k * rowBytes) + at + (run * RunBytes));
                }
            }
        }
    }

    /// <summary>Four runs of four keys.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Join4(byte* source, nint runStride, byte* rows, nint rowBytes)
    {
        const byte Low = 0x44, High = 0xEE, Even = 0x88, Odd = 0xDD;
        Vector512<float> r0 = Load(source), r1 = Load(source + runStride), r2 = Load(source + (2 * runStride)), r3 = Load(source + (3 * runStride));
        Vector512<float> low01 = Avx512F.Shuffle4x128(r0, r1, Low), low23 = Avx512F.Shuffle4x128(r2, r3, Low);
        Vector512<float> high01 = Avx512F.Shuffle4x128(r0, r1, High), high23 = Avx512F.Shuffle4x128(r2, r3, High);
        Avx512F.Shuffle4x128(low01, low23, Even).Store((float*)rows);
        Avx512F.Shuffle4x128(low01, low23, Odd).Store((float*)(rows + rowBytes));
        Avx512F.Shuffle4x128(high01, high23, Even).Store((float*)(rows + (2 * rowBytes)));
        Avx512F.Shuffle4x128(high01, high23, Odd).Store((float*)(rows + (3 * rowBytes)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Load(byte* source) => Vector512.Load((float*)source);
}
