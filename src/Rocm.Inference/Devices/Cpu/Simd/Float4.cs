using System.Runtime.CompilerServices;

namespace Rocm.Inference.Devices.Cpu.Simd;

/// <summary>Widens 4-bit floats where the processor cannot look them up.</summary>
internal static class Float4<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    /// <summary>A sign bit, two of exponent (bias 1) and one of mantissa, in the lowest bits of words.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Widen(TVector words)
    {
        TVector magnitude = TSimd.And(words, TSimd.CreateWords(7));
        TVector sign = TSimd.ShiftLeft(TSimd.And(words, TSimd.CreateWords(8)), 28);
        TVector placed = TSimd.ShiftLeft(magnitude, 22);
        TVector normal = TSimd.AddWords(placed, TSimd.CreateWords(126u << 23));

        // 0 and 0.5 have no implied bit: 1 + m / 2 less 1.
        TVector one = TSimd.Create(1f);
        TVector small = TSimd.Subtract(TSimd.AddWords(placed, one), one);
        return TSimd.Or(TSimd.SelectLessWords(magnitude, TSimd.CreateWords(2), small, normal), sign);
    }
}
