using System.Runtime.CompilerServices;
using Rocm.Inference.Devices.Cpu.Simd;

namespace Rocm.Inference.Devices.Cpu.Attention;

/// <summary>Converts between floats and the elements of a cache: rounding to nearest even when stored, exact when read.</summary>
internal static unsafe class CacheElements<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    // Elements that are converted at a time where a token's elements are not side by side; a multiple of every run.
    private const int Piece = 64;

    /// <summary>Stores a token's elements of one head, divided by the head's scale.</summary>
    /// <param name="source">[Dim].</param>
    /// <param name="cache">The tensor.</param>
    /// <param name="at">The token's first element in it.</param>
    /// <param name="scale">The head's scale.</param>
    /// <param name="roundsSource">True to replace the source by what was stored.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Store(float* source, in CacheTensor cache, byte* at, float scale, bool roundsSource) =>
        Store(source, cache, at, cache.Dim, scale, roundsSource);

    /// <summary>Stores <paramref name="count"/> elements from <paramref name="at"/> on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Store(float* source, in CacheTensor cache, byte* at, int count, float scale, bool roundsSource)
    {
        if (cache.Run >= count)
        {
            Encode(source, at, count, cache.DType, scale);
            if (roundsSource) Decode(at, source, count, cache.DType, scale);
            return;
        }

        byte* piece = stackalloc byte[Piece * sizeof(float)];
        int size = cache.ElementBytes, run = cache.Run;
        for (int c = 0; c < count; c += Piece)
        {
            int part = Math.Min(Piece, count - c);
            Encode(source + c, piece, part, cache.DType, scale);
            byte* target = at + (c / run * cache.RunBytes);
            for (int i = 0; i < part; i += run, target += cache.RunBytes) Copy(piece + (i * size), target, run, size);
            if (roundsSource) Decode(piece, source + c, part, cache.DType, scale);
        }
    }

    /// <summary>Reads a token's elements of one head, times the head's scale.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Load(in CacheTensor cache, byte* at, float* target, float scale)
    {
        if (cache.Run == cache.Dim)
        {
            Decode(at, target, cache.Dim, cache.DType, scale);
            return;
        }

        byte* piece = stackalloc byte[Piece * sizeof(float)];
        int size = cache.ElementBytes, run = cache.Run;
        for (int c = 0; c < cache.Dim; c += Piece)
        {
            int part = Math.Min(Piece, cache.Dim - c);
            byte* source = at + (c / run * cache.RunBytes);
            for (int i = 0; i < part; i += run, source += cache.RunBytes) Copy(source, piece + (i * size), run, size);
            Decode(piece, target + c, part, cache.DType, scale);
        }
    }

    /// <summary>Rounds source / scale; the scale is 1 but for 8-bit floats.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Encode(float* source, byte* target, int count, DType type, float scale)
    {
        switch (type)
        {
            case DType.F32:
                new ReadOnlySpan<float>(source, count).CopyTo(new Span<float>(target, count));
                break;
            case DType.F8E4M3Fn:
                Float8<E4M3Fn, TSimd, TVector>.RoundRow(source, scale, target, count);
                break;
            case DType.F8E4M3Fnuz:
                Float8<E4M3Fnuz, TSimd, TVector>.RoundRow(source, scale, target, count);
                break;
            case DType.F8E5M2:
                Float8<E5M2, TSimd, TVector>.RoundRow(source, scale, target, count);
                break;
            default:
                EncodeHalves(source, (ushort*)target, count, type == DType.BF16);
                break;
        }
    }

    /// <summary>Widens and multiplies by the scale.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Decode(byte* source, float* target, int count, DType type, float scale)
    {
        switch (type)
        {
            case DType.F32:
                new ReadOnlySpan<float>(source, count).CopyTo(new Span<float>(target, count));
                break;
            case DType.BF16 or DType.F16:
                DecodeHalves((ushort*)source, target, count, type == DType.BF16);
                break;
            case DType.F8E4M3Fn:
                Float8<E4M3Fn, TSimd, TVector>.WidenRow(source, target, count);
                break;
            case DType.F8E4M3Fnuz:
                Float8<E4M3Fnuz, TSimd, TVector>.WidenRow(source, target, count);
                break;
            default:
                Float8<E5M2, TSimd, TVector>.WidenRow(source, target, count);
                break;
        }

        if (scale == 1) return;
        TVector factor = TSimd.Create(scale);
        int i = 0;
        for (; i + TSimd.Count <= count; i += TSimd.Count) TSimd.Store(TSimd.Multiply(TSimd.Load(target + i), factor), target + i);
        for (; i < count; i++) target[i] *= scale;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void EncodeHalves(float* source, ushort* target, int count, bool bf16)
    {
        int i = 0;
        for (; i + TSimd.Count <= count; i += TSimd.Count) TSimd.StoreHalves(Round(TSimd.Load(source + i), bf16), target + i);
        if (i == count) return;
        float* lanes = stackalloc float[16];
        ushort* halves = stackalloc ushort[16];
        new Span<float>(lanes, 16).Clear();
        for (int j = 0; j < count - i; j++) lanes[j] = source[i + j];
        TSimd.StoreHalves(Round(TSimd.Load(lanes), bf16), halves);
        for (int j = 0; i < count; i++, j++) target[i] = halves[j];
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void DecodeHalves(ushort* source, float* target, int count, bool bf16)
    {
        int i = 0;
        if (bf16)
        {
            for (; i + TSimd.Count <= count; i += TSimd.Count) TSimd.Store(TSimd.LoadBf16(source + i), target + i);
            for (; i < count; i++) target[i] = BitConverter.UInt32BitsToSingle((uint)source[i] << 16);
            return;
        }

        for (; i + TSimd.Count <= count; i += TSimd.Count) TSimd.Store(TSimd.LoadF16(source + i), target + i);
        for (; i < count; i++) target[i] = (float)((Half*)source)[i];
    }

    /// <summary>The nearest bf16 or f16 in the lower halves of words.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Round(TVector value, bool bf16)
    {
        TVector one = TSimd.CreateWords(1), infinity = TSimd.CreateWords(0x7F800000);
        TVector magnitude = TSimd.And(value, TSimd.CreateWords(0x7FFFFFFF));
        TVector sign = TSimd.ShiftRight(TSimd.And(value, TSimd.CreateWords(0x80000000)), 16);
        if (bf16)
        {
            // Half of the last kept bit rounds up, minus one when that bit is even; a NaN keeps its upper bits and stays quiet.
            TVector odd = TSimd.And(TSimd.ShiftRight(magnitude, 16), one);
            TVector rounded = TSimd.ShiftRight(TSimd.AddWords(TSimd.AddWords(magnitude, TSimd.CreateWords(0x7FFF)), odd), 16);
            TVector quiet = TSimd.Or(TSimd.ShiftRight(magnitude, 16), TSimd.CreateWords(0x40));
            return TSimd.Or(TSimd.SelectLessWords(infinity, magnitude, quiet, rounded), sign);
        }

        TVector last = TSimd.And(TSimd.ShiftRight(magnitude, 13), one);
        TVector normal = TSimd.ShiftRight(TSimd.AddWords(TSimd.AddWords(magnitude, TSimd.CreateWords(0xFFF)), last), 13);
        normal = TSimd.SubtractWords(normal, TSimd.CreateWords((127 - 15) << 10));

        // Below 2^-14 the processor rounds: added to a number whose last bit is worth 2^-24.
        TVector magic = TSimd.Create(0.5f);
        TVector small = TSimd.SubtractWords(TSimd.Add(magnitude, magic), magic);
        TVector bits = TSimd.SelectLessWords(magnitude, TSimd.CreateWords((127 - 14) << 23), small, normal);
        TVector largest = TSimd.CreateWords(0x7C00);
        bits = TSimd.SelectLessWords(largest, bits, largest, bits);
        return TSimd.Or(TSimd.SelectLessWords(infinity, magnitude, TSimd.CreateWords(0x7E00), bits), sign);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Copy(byte* source, byte* target, int count, int size)
    {
        if (count * size == 16)
        {
            Unsafe.CopyBlockUnaligned(target, source, 16);
            return;
        }

        switch (size)
        {
            case 1: *target = *source; break;
            case 2: *(ushort*)target = *(ushort*)source; break;
            default: *(uint*)target = *(uint*)source; break;
        }
    }
}
