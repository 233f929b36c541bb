using System.Runtime.CompilerServices;

namespace Rocm.Inference.Devices.Cpu.Simd;

/// <summary>Elementary functions on vectors. A lane's result depends on its own operand only.</summary>
internal static class VectorMath
{
    /// <summary>e^x: relative error below 2e-7; 0 below −86.5 (where e^x &lt; 3e-38), infinity above 88.72, NaN for NaN; exactly 1 at 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Exp<TSimd, TVector>(TVector x)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        const float RoundToInteger = 12582912f; // 1.5 · 2^23: adding and subtracting it rounds to the nearest whole number.
        TVector clamped = TSimd.Min(TSimd.Create(88.73f), TSimd.Max(TSimd.Create(-87f), x));
        TVector magic = TSimd.Create(RoundToInteger);
        TVector n = TSimd.Subtract(TSimd.MultiplyAdd(clamped, TSimd.Create(1.44269504f), magic), magic);
        TVector r = TSimd.MultiplyAdd(n, TSimd.Create(-0.693359375f), clamped);
        r = TSimd.MultiplyAdd(n, TSimd.Create(2.12194440e-4f), r);

        TVector p = TSimd.Create(1f / 5040);
        p = TSimd.MultiplyAdd(p, r, TSimd.Create(1f / 720));
        p = TSimd.MultiplyAdd(p, r, TSimd.Create(1f / 120));
        p = TSimd.MultiplyAdd(p, r, TSimd.Create(1f / 24));
        p = TSimd.MultiplyAdd(p, r, TSimd.Create(1f / 6));
        p = TSimd.MultiplyAdd(p, r, TSimd.Create(0.5f));
        p = TSimd.MultiplyAdd(p, r, TSimd.Create(1f));
        p = TSimd.MultiplyAdd(p, r, TSimd.Create(1f));

        // 2^n in two factors: n reaches 128, which one float exponent cannot hold.
        TVector y = TSimd.Multiply(TSimd.Add(p, p), TSimd.PowerOfTwo(TSimd.Subtract(n, TSimd.Create(1f))));
        y = TSimd.SelectLess(x, TSimd.Create(-86.5f), TSimd.Zero, y);
        return TSimd.SelectLess(TSimd.Create(88.722839f), x, TSimd.Create(float.PositiveInfinity), y);
    }

    /// <summary>
    /// 2^x for x up to 0, in few steps: relative error below 3e-7; 0 below −126, NaN for NaN; exactly 1 at 0. The polynomial interpolates (2^r − 1) / r at
    /// Chebyshev's nodes of [−1/2, 1/2].
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Exp2<TSimd, TVector>(TVector x)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        const float RoundToInteger = 12582912f; // As above; the whole number is in the lowest bits of the sum.
        TVector least = TSimd.Create(-126f), magic = TSimd.Create(RoundToInteger);
        TVector clamped = TSimd.Max(least, x);
        TVector sum = TSimd.Add(clamped, magic);
        TVector r = TSimd.Subtract(clamped, TSimd.Subtract(sum, magic));
        TVector p = TSimd.Create(0.000154531629f);
        p = TSimd.MultiplyAdd(p, r, TSimd.Create(0.00133908634f));
        p = TSimd.MultiplyAdd(p, r, TSimd.Create(0.00961808256f));
        p = TSimd.MultiplyAdd(p, r, TSimd.Create(0.0555035711f));
        p = TSimd.MultiplyAdd(p, r, TSimd.Create(0.240226508f));
        p = TSimd.MultiplyAdd(p, r, TSimd.Create(0.693147188f));
        p = TSimd.MultiplyAdd(p, r, TSimd.Create(1f));
        TVector y = TSimd.Multiply(p, TSimd.AddWords(TSimd.ShiftLeft(sum, 23), TSimd.Create(1f)));
        return TSimd.SelectLess(x, least, TSimd.Zero, y);
    }

    /// <summary>tanh x: absolute error below 2e-7, relative error below 5e-7.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Tanh<TSimd, TVector>(TVector x)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        TVector magnitude = TSimd.Abs(x);
        TVector one = TSimd.Create(1f);
        TVector e = Exp<TSimd, TVector>(TSimd.Add(magnitude, magnitude));
        TVector large = TSimd.Subtract(one, TSimd.Divide(TSimd.Create(2f), TSimd.Add(e, one)));

        // Near 0 the difference above cancels: there tanh x = x (1 + x² (−1/3 + 2/15 x² − …)), Taylor coefficients up to x^13.
        TVector z = TSimd.Multiply(x, x);
        TVector p = TSimd.Create(21844f / 6081075);
        p = TSimd.MultiplyAdd(p, z, TSimd.Create(-1382f / 155925));
        p = TSimd.MultiplyAdd(p, z, TSimd.Create(62f / 2835));
        p = TSimd.MultiplyAdd(p, z, TSimd.Create(-17f / 315));
        p = TSimd.MultiplyAdd(p, z, TSimd.Create(2f / 15));
        p = TSimd.MultiplyAdd(p, z, TSimd.Create(-1f / 3));
        TVector small = TSimd.MultiplyAdd(TSimd.Multiply(p, z), x, x);
        return TSimd.SelectLess(magnitude, TSimd.Create(0.3f), small, TSimd.CopySign(large, x));
    }

    /// <summary>erf x: absolute error below 4e-7 (Abramowitz and Stegun 7.1.26, in single precision).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Erf<TSimd, TVector>(TVector x)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        TVector magnitude = TSimd.Abs(x);
        TVector one = TSimd.Create(1f);
        TVector t = TSimd.Divide(one, TSimd.MultiplyAdd(TSimd.Create(0.3275911f), magnitude, one));
        TVector p = TSimd.Create(1.061405429f);
        p = TSimd.MultiplyAdd(p, t, TSimd.Create(-1.453152027f));
        p = TSimd.MultiplyAdd(p, t, TSimd.Create(1.421413741f));
        p = TSimd.MultiplyAdd(p, t, TSimd.Create(-0.284496736f));
        p = TSimd.MultiplyAdd(p, t, TSimd.Create(0.254829592f));
        TVector tail = Exp<TSimd, TVector>(TSimd.Subtract(TSimd.Zero, TSimd.Multiply(x, x)));
        TVector y = TSimd.Subtract(one, TSimd.Multiply(TSimd.Multiply(p, t), tail));
        return TSimd.CopySign(y, x);
    }
}
