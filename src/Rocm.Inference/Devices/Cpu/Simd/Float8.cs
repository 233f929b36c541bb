using System.Runtime.CompilerServices;

namespace Rocm.Inference.Devices.Cpu.Simd;

/// <summary>An 8-bit float: a sign bit, exponent and mantissa. Every value of every format is exact in bf16.</summary>
internal interface IFloat8Format
{
    static abstract int MantissaBits { get; }

    static abstract int Bias { get; }

    /// <summary>The largest finite value.</summary>
    static abstract uint MaxBits { get; }

    /// <summary>NaN without its sign.</summary>
    static abstract uint NanBits { get; }

    /// <summary>True for the "fnuz" formats: 0x80 is the only NaN, there is no −0 and every other byte is finite.</summary>
    static abstract bool IsUnsignedZero { get; }

    /// <summary>True when the magnitude after <see cref="MaxBits"/> is infinity.</summary>
    static abstract bool HasInfinity { get; }
}

/// <summary><see cref="DType.F8E4M3Fn"/>: ±448, NaN 0x7F and 0xFF.</summary>
internal readonly struct E4M3Fn : IFloat8Format
{
    public static int MantissaBits => 3;

    public static int Bias => 7;

    public static uint MaxBits => 0x7E;

    public static uint NanBits => 0x7F;

    public static bool IsUnsignedZero => false;

    public static bool HasInfinity => false;
}

/// <summary><see cref="DType.F8E4M3Fnuz"/>: ±240, NaN 0x80.</summary>
internal readonly struct E4M3Fnuz : IFloat8Format
{
    public static int MantissaBits => 3;

    public static int Bias => 8;

    public static uint MaxBits => 0x7F;

    public static uint NanBits => 0x80;

    public static bool IsUnsignedZero => true;

    public static bool HasInfinity => false;
}

/// <summary><see cref="DType.F8E5M2"/>: ±57344, infinity 0x7C, NaN above.</summary>
internal readonly struct E5M2 : IFloat8Format
{
    public static int MantissaBits => 2;

    public static int Bias => 15;

    public static uint MaxBits => 0x7B;

    public static uint NanBits => 0x7E;

    public static bool IsUnsignedZero => false;

    public static bool HasInfinity => true;
}

/// <summary>Widens 8-bit floats exactly and rounds floats to them: nearest even, saturated to the largest finite value (infinity too), NaN kept.</summary>
internal static unsafe class Float8<TFormat, TSimd, TVector>
    where TFormat : struct, IFloat8Format
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    private static int Shift => 23 - TFormat.MantissaBits;

    private static uint SmallestNormal => 1u << TFormat.MantissaBits;

    /// <summary>Bits of the float 2^exponent.</summary>
    private static uint Power(int exponent) => (uint)(127 + exponent) << 23;

    /// <summary>Widens <see cref="ISimd{TVector}.Count"/> consecutive elements.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Load(byte* source) => Widen(TSimd.LoadBytes(source));

    /// <summary>Widens the elements in the lowest bytes of words, whose other bytes are zero.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Widen(TVector bytes)
    {
        TVector magnitude = TSimd.And(bytes, TSimd.CreateWords(0x7F));
        TVector sign = TSimd.ShiftLeft(TSimd.And(bytes, TSimd.CreateWords(0x80)), 24);
        TVector placed = TSimd.ShiftLeft(magnitude, Shift);
        TVector normal = TSimd.AddWords(placed, TSimd.CreateWords((uint)(127 - TFormat.Bias) << 23));

        // Subnormals m · 2^(1 − bias − mantissa bits) come from the normal number 1.m less 1, at the smallest exponent. They are frequent, and
        // scaling subnormal floats instead would be slow on some processors.
        TVector small = TSimd.Subtract(
            TSimd.AddWords(placed, TSimd.CreateWords(Power(1 - TFormat.Bias))), TSimd.CreateWords(Power(1 - TFormat.Bias)));
        TVector value = TSimd.SelectLessWords(magnitude, TSimd.CreateWords(SmallestNormal), small, normal);
        if (TFormat.IsUnsignedZero)
        {
            value = TSimd.Or(value, sign);
            return TSimd.SelectLessWords(value, TSimd.CreateWords(0x80000001), TSimd.CreateWords(0x7FC00000), value);
        }

        // Magnitudes past the largest finite one: infinity where there is one (its mantissa is 0), else NaN.
        TVector special = TFormat.HasInfinity
            ? TSimd.Or(placed, TSimd.CreateWords(0x7F800000))
            : TSimd.CreateWords(0x7FC00000);
        return TSimd.Or(TSimd.SelectLessWords(TSimd.CreateWords(TFormat.MaxBits), magnitude, special, value), sign);
    }

    /// <summary>Rounds to elements in the lowest bytes of words, whose other bytes are zero.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Round(TVector value)
    {
        TVector magnitude = TSimd.And(value, TSimd.CreateWords(0x7FFFFFFF));
        TVector sign = TSimd.ShiftRight(TSimd.And(value, TSimd.CreateWords(0x80000000)), 24);

        // Half of the last kept bit, minus one when that bit is even, rounds to the nearest even; the exponent moves to its new bias.
        TVector odd = TSimd.And(TSimd.ShiftRight(magnitude, Shift), TSimd.CreateWords(1));
        TVector normal = TSimd.AddWords(TSimd.AddWords(magnitude, TSimd.CreateWords((1u << (Shift - 1)) - 1)), odd);
        normal = TSimd.SubtractWords(TSimd.ShiftRight(normal, Shift), TSimd.CreateWords((uint)(127 - TFormat.Bias) << TFormat.MantissaBits));

        // Below the smallest normal value the processor rounds: added to a number whose last bit is worth the smallest subnormal.
        TVector magic = TSimd.CreateWords(Power(1 - TFormat.Bias - TFormat.MantissaBits + 23));
        TVector small = TSimd.SubtractWords(TSimd.Add(magnitude, magic), magic);
        TVector bits = TSimd.SelectLessWords(magnitude, TSimd.CreateWords(Power(1 - TFormat.Bias)), small, normal);
        TVector max = TSimd.CreateWords(TFormat.MaxBits);
        bits = TSimd.SelectLessWords(max, bits, max, bits);
        if (TFormat.IsUnsignedZero) sign = TSimd.SelectLessWords(TSimd.CreateWords(0), bits, sign, TSimd.CreateWords(0));
        TVector nan = TSimd.CreateWords(TFormat.NanBits);
        return TSimd.SelectLessWords(TSimd.CreateWords(0x7F800000), magnitude, TSimd.Or(nan, sign), TSimd.Or(bits, sign));
    }

    /// <summary>target[i] = source[i].</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void WidenRow(byte* source, float* target, int count)
    {
        int i = 0;
        for (; i + TSimd.Count <= count; i += TSimd.Count) TSimd.Store(Load(source + i), target + i);
        if (i == count) return;
        byte* bytes = stackalloc byte[16];
        float* lanes = stackalloc float[16];
        Unsafe.InitBlockUnaligned(bytes, 0, 16);
        Unsafe.CopyBlockUnaligned(bytes, source + i, (uint)(count - i));
        TSimd.Store(Load(bytes), lanes);
        for (int j = 0; i < count; i++, j++) target[i] = lanes[j];
    }

    /// <summary>The same to bf16.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void WidenRow(byte* source, ushort* target, int count)
    {
        int i = 0;
        for (; i + TSimd.Count <= count; i += TSimd.Count) TSimd.StoreHalves(TSimd.ShiftRight(Load(source + i), 16), target + i);
        if (i == count) return;
        byte* bytes = stackalloc byte[16];
        ushort* lanes = stackalloc ushort[16];
        Unsafe.InitBlockUnaligned(bytes, 0, 16);
        Unsafe.CopyBlockUnaligned(bytes, source + i, (uint)(count - i));
        TSimd.StoreHalves(TSimd.ShiftRight(Load(bytes), 16), lanes);
        for (int j = 0; i < count; i++, j++) target[i] = lanes[j];
    }

    /// <summary>target[i] = source[i] / scale, rounded.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void RoundRow(float* source, float scale, byte* target, int count)
    {
        TVector divisor = TSimd.Create(scale);
        int i = 0;
        for (; i + TSimd.Count <= count; i += TSimd.Count) TSimd.StoreBytes(Round(TSimd.Divide(TSimd.Load(source + i), divisor)), target + i);
        if (i == count) return;
        float* lanes = stackalloc float[16];
        byte* bytes = stackalloc byte[16];
        new Span<float>(lanes, 16).Clear();
        Unsafe.CopyBlockUnaligned(lanes, source + i, (uint)(count - i) * sizeof(float));
        TSimd.StoreBytes(Round(TSimd.Divide(TSimd.Load(lanes), divisor)), bytes);
        for (int j = 0; i < count; i++, j++) target[i] = bytes[j];
    }
}
