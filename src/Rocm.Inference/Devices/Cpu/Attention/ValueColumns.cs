using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Rocm.Inference.Devices.Cpu.Panels;
using Rocm.Inference.Devices.Cpu.Simd;

namespace Rocm.Inference.Devices.Cpu.Attention;

/// <summary>Turns V of layouts in which tokens lie side by side (VectorizedX, Shuffled) into rows of floats.</summary>
internal static unsafe class ValueColumns<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    /// <summary>Widens 16 bytes of each channel: 4 tokens of f32, 8 of bf16 or f16.</summary>
    /// <param name="source">The tokens of channel 0.</param>
    /// <param name="channelBytes">From a channel to the next.</param>
    /// <param name="dim">Channels.</param>
    /// <param name="type">BF16, F16 or F32.</param>
    /// <param name="rows">[tokens, stride] floats; dim rounded up to 16 is written.</param>
    /// <param name="stride">Floats from a row to the next.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Load(byte* source, nint channelBytes, int dim, DType type, float* rows, nint stride)
    {
        const int Channels = 16;
        for (int c = 0; c < dim; c += Channels, source += Channels * channelBytes)
        {
            if (c + Channels > dim) LoadPart(source, channelBytes, dim - c, type, rows + c, stride);
            else if (typeof(TSimd) == typeof(Simd512) && Avx512F.IsSupported && type == DType.BF16) LoadBf16(source, channelBytes, rows + c, stride);
            else LoadWords(source, channelBytes, type, rows + c, stride);
        }
    }

    /// <summary>Transposes 16 bytes of each channel of 16-bit elements: 4 rows of words, each of two tokens.</summary>
    /// <param name="source">The tokens of channel 0.</param>
    /// <param name="channelBytes">From a channel to the next.</param>
    /// <param name="dim">Channels.</param>
    /// <param name="rows">[4, stride] words; dim rounded up to 16 is written.</param>
    /// <param name="stride">Words from a row to the next.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void LoadPairs(byte* source, nint channelBytes, int dim, uint* rows, nint stride)
    {
        const int Channels = 16, Bytes = 16;
        int c = 0;
        if (Avx512F.IsSupported && channelBytes == Bytes)
        {
            for (; c + Channels <= dim; c += Channels, source += Channels * Bytes) LoadJoined(source, rows + c, stride);
        }

        for (; c + Channels <= dim; c += Channels, source += Channels * channelBytes) PanelPacker.Transpose16(source, channelBytes, rows + c, stride);
        if (c < dim) LoadPairsPart(source, channelBytes, dim - c, rows + c, stride);
    }

    /// <summary>The same of 32 bytes of each channel: 8 rows of words. Only with AVX-512, and for whole 16 channels.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void LoadWidePairs(byte* source, nint channelBytes, int dim, uint* rows, nint stride)
    {
        const int Channels = 16, Bytes = 32;
        for (int c = 0; c < dim; c += Channels, source += Channels * channelBytes)
        {
            if (channelBytes == Bytes) LoadWideJoined(source, rows + c, stride);
            else PanelPacker.Transpose16By8(source, channelBytes, rows + c, stride);
        }
    }

    /// <summary>16 channels of 16 bytes that lie side by side: whole registers are read, and put in order by the last of two stages.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void LoadJoined(byte* source, uint* rows, nint stride)
    {
        Vector512<uint> z0 = Words(source, 0), z1 = Words(source, 1), z2 = Words(source, 2), z3 = Words(source, 3);

        // A register has four channels: lane j has channels j and 4 + j, or 8 + j and 12 + j, in turns.
        Vector512<uint> first = Vector512.Create(0u, 4, 8, 12, 1, 5, 9, 13, 16, 20, 24, 28, 17, 21, 25, 29), second = first + Vector512.Create(2u);
        Vector512<uint> a = Avx512F.UnpackLow(z0, z1), b = Avx512F.UnpackLow(z2, z3);
        Avx512F.PermuteVar16x32x2(a, first, b).Store(rows);
        Avx512F.PermuteVar16x32x2(a, second, b).Store(rows + stride);
        a = Avx512F.UnpackHigh(z0, z1);
        b = Avx512F.UnpackHigh(z2, z3);
        Avx512F.PermuteVar16x32x2(a, first, b).Store(rows + (2 * stride));
        Avx512F.PermuteVar16x32x2(a, second, b).Store(rows + (3 * stride));
    }

    /// <summary>16 channels of 32 bytes that lie side by side.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void LoadWideJoined(byte* source, uint* rows, nint stride)
    {
        // A register has two channels, whose words k and k + 4 stay side by side until the last stage.
        Unpack4(source, out Vector512<ulong> a0, out Vector512<ulong> a1, out Vector512<ulong> a2, out Vector512<ulong> a3);
        Unpack4(source + (4 * 64), out Vector512<ulong> b0, out Vector512<ulong> b1, out Vector512<ulong> b2, out Vector512<ulong> b3);
        StoreTwo(a0, b0, rows, stride);
        StoreTwo(a1, b1, rows + stride, stride);
        StoreTwo(a2, b2, rows + (2 * stride), stride);
        StoreTwo(a3, b3, rows + (3 * stride), stride);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> Words(byte* source, int register) => Vector512.Load((uint*)source + (register * Vector512<uint>.Count));

    /// <summary>Words 0, 1, 2, 3 (and 4 more) of 8 channels: the even channels, then the odd ones.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Unpack4(byte* source, out Vector512<ulong> w0, out Vector512<ulong> w1, out Vector512<ulong> w2, out Vector512<ulong> w3)
    {
        Vector512<uint> z0 = Words(source, 0), z1 = Words(source, 1), z2 = Words(source, 2), z3 = Words(source, 3);
        Vector512<ulong> a = Avx512F.UnpackLow(z0, z1).AsUInt64(), b = Avx512F.UnpackLow(z2, z3).AsUInt64();
        w0 = Avx512F.UnpackLow(a, b);
        w1 = Avx512F.UnpackHigh(a, b);
        a = Avx512F.UnpackHigh(z0, z1).AsUInt64();
        b = Avx512F.UnpackHigh(z2, z3).AsUInt64();
        w2 = Avx512F.UnpackLow(a, b);
        w3 = Avx512F.UnpackHigh(a, b);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreTwo(Vector512<ulong> a, Vector512<ulong> b, uint* row, nint stride)
    {
        Vector512<uint> order = Vector512.Create(0u, 8, 1, 9, 2, 10, 3, 11, 16, 24, 17, 25, 18, 26, 19, 27);
        Avx512F.PermuteVar16x32x2(a.AsUInt32(), order, b.AsUInt32()).Store(row);
        Avx512F.PermuteVar16x32x2(a.AsUInt32(), order + Vector512.Create(4u), b.AsUInt32()).Store(row + (4 * stride));
    }

    private static void LoadPairsPart(byte* source, nint channelBytes, int count, uint* rows, nint stride)
    {
        byte* channels = stackalloc byte[16 * 16];
        CopyPart(source, channelBytes, count, channels);
        PanelPacker.Transpose16(channels, 16, rows, stride);
    }

    /// <summary>Keeps some bits of a row's words.</summary>
    public static void Mask(uint* row, int dim, uint kept)
    {
        for (int i = 0; i < dim; i++) row[i] &= kept;
    }

    /// <summary>16 channels in registers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void LoadBf16(byte* source, nint channelBytes, float* rows, nint stride)
    {
        PanelPacker.Transpose16(source, channelBytes, out Vector512<uint> w0, out Vector512<uint> w1, out Vector512<uint> w2, out Vector512<uint> w3);
        StorePair(w0, rows, stride);
        StorePair(w1, rows + (2 * stride), stride);
        StorePair(w2, rows + (4 * stride), stride);
        StorePair(w3, rows + (6 * stride), stride);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StorePair(Vector512<uint> words, float* rows, nint stride)
    {
        Simd512.LowBf16(words.AsSingle()).Store(rows);
        Simd512.HighBf16(words.AsSingle()).Store(rows + stride);
    }

    /// <summary>16 channels by way of their transposed words.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void LoadWords(byte* source, nint channelBytes, DType type, float* rows, nint stride)
    {
        const int Channels = 16;
        uint* words = stackalloc uint[4 * Channels];
        PanelPacker.Transpose16(source, channelBytes, words, Channels);
        for (int k = 0; k < 4; k++)
        {
            float* word = (float*)words + (k * Channels);
            if (type == DType.F32)
            {
                for (int i = 0; i < Channels; i += TSimd.Count) TSimd.Store(TSimd.Load(word + i), rows + (k * stride) + i);
                continue;
            }

            float* even = rows + (2 * k * stride), odd = even + stride;
            for (int i = 0; i < Channels; i += TSimd.Count)
            {
                TVector pair = TSimd.Load(word + i);
                TSimd.Store(type == DType.BF16 ? TSimd.LowBf16(pair) : TSimd.LowF16(pair), even + i);
                TSimd.Store(type == DType.BF16 ? TSimd.HighBf16(pair) : TSimd.HighF16(pair), odd + i);
            }
        }
    }

    /// <summary>Fewer channels.</summary>
    private static void LoadPart(byte* source, nint channelBytes, int count, DType type, float* rows, nint stride)
    {
        byte* channels = stackalloc byte[16 * 16];
        CopyPart(source, channelBytes, count, channels);
        LoadWords(channels, 16, type, rows, stride);
    }

    /// <summary>16 bytes of each of 16 channels: those that are missing repeat the last one.</summary>
    private static void CopyPart(byte* source, nint channelBytes, int count, byte* channels)
    {
        for (int i = 0; i < 16; i++) Unsafe.CopyBlockUnaligned(channels + (16 * i), source + (Math.Min(i, count - 1) * channelBytes), 16);
    }
}
