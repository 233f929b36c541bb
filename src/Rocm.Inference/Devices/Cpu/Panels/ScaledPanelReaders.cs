using System.Runtime.CompilerServices;
using Rocm.Inference.Devices.Cpu.Simd;

namespace Rocm.Inference.Devices.Cpu.Panels;

/// <summary>Widens a vector of panel columns and scales it: the product of element and scale, rounded once to f32.</summary>
internal unsafe interface IScaledPanelReader<TSimd, TVector>
    where TSimd : ISimd<TVector>
    where TVector : struct
{
    static abstract PanelFormat Format { get; }

    /// <summary>Words of a column that share a scale.</summary>
    static abstract int WordsPerScale { get; }

    /// <summary>Scales of the columns from <paramref name="column"/> on, of one block of the section.</summary>
    static abstract TVector Scale(byte* header, int block, int column);

    /// <summary>The first element left in every word, scaled.</summary>
    static abstract TVector First(TVector words, TVector scale);

    /// <summary>The words without their first element.</summary>
    static abstract TVector Next(TVector words);
}

/// <summary>
/// Reads <see cref="PanelFormat.F8E4M3"/>. Sign, exponent and mantissa move to their places in a float, which then is 2^−120 of the element,
/// subnormal ones too; the stored scale makes up for it.
/// </summary>
internal readonly unsafe struct F8E4M3Panel<TSimd, TVector> : IScaledPanelReader<TSimd, TVector>
    where TSimd : ISimd<TVector>
    where TVector : struct
{
    public static PanelFormat Format => PanelFormat.F8E4M3;

    public static int WordsPerScale => Panel.SectionLength / 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Scale(byte* header, int block, int column) => TSimd.Load((float*)header + column);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector First(TVector words, TVector scale) =>
        TSimd.Multiply(TSimd.And(TSimd.ShiftRightSigned(words, 4), TSimd.CreateWords(0x87F00000)), scale);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Next(TVector words) => TSimd.ShiftLeft(words, 8);
}

/// <summary>Reads <see cref="PanelFormat.F8E5M2"/>, likewise with 2^−112. The largest exponent of an element, of infinity and NaN, becomes a float's.</summary>
internal readonly unsafe struct F8E5M2Panel<TSimd, TVector> : IScaledPanelReader<TSimd, TVector>
    where TSimd : ISimd<TVector>
    where TVector : struct
{
    public static PanelFormat Format => PanelFormat.F8E5M2;

    public static int WordsPerScale => Panel.SectionLength / 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Scale(byte* header, int block, int column) => TSimd.Load((float*)header + column);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector First(TVector words, TVector scale)
    {
        TVector element = TSimd.And(TSimd.ShiftRightSigned(words, 3), TSimd.CreateWords(0x8FE00000));
        TVector magnitude = TSimd.And(element, TSimd.CreateWords(0x7FFFFFFF));
        TVector special = TSimd.Or(element, TSimd.CreateWords(0x7F800000));
        return TSimd.Multiply(TSimd.SelectLessWords(TSimd.CreateWords(0x0F7FFFFF), magnitude, special, element), scale);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Next(TVector words) => TSimd.ShiftLeft(words, 8);
}

/// <summary>Reads <see cref="PanelFormat.F4E2M1"/>.</summary>
internal readonly unsafe struct F4E2M1Panel<TSimd, TVector> : IScaledPanelReader<TSimd, TVector>
    where TSimd : ISimd<TVector>
    where TVector : struct
{
    public static PanelFormat Format => PanelFormat.F4E2M1;

    public static int WordsPerScale => 4;

    // 2^(byte − 127): 2^−127 is subnormal, 255 means NaN.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Scale(byte* header, int block, int column)
    {
        TVector bytes = TSimd.LoadBytes(header + (block * Panel.Width) + column);
        TVector scale = TSimd.SelectLessWords(bytes, TSimd.CreateWords(1), TSimd.CreateWords(0x00400000), TSimd.ShiftLeft(bytes, 23));
        return TSimd.SelectLessWords(TSimd.CreateWords(254), bytes, TSimd.CreateWords(0x7FC00000), scale);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector First(TVector words, TVector scale) => TSimd.Multiply(TSimd.WidenE2M1(words), scale);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Next(TVector words) => TSimd.ShiftRight(words, 4);
}
