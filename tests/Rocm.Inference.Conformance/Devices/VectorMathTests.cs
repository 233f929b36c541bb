using System.Runtime.Intrinsics;
using Rocm.Inference.Devices.Cpu.Simd;
using Xunit;

namespace Rocm.Inference.Conformance.Devices;

/// <summary>The documented errors of the elementary functions, over a sweep of the whole range.</summary>
public sealed unsafe class VectorMathTests
{
    [Fact]
    public void Functions_keep_their_documented_errors_in_every_width()
    {
        Sweep<Simd512, Vector512<float>>();
        Sweep<Simd256, Vector256<float>>();
        Sweep<Simd128, Vector128<float>>();
    }

    [Fact]
    public void Exp_is_exact_where_softmax_needs_it()
    {
        Assert.Equal(1f, Exp(0));
        Assert.Equal(0f, Exp(float.NegativeInfinity));
        Assert.Equal(0f, Exp(-1e30f));
        Assert.Equal(float.PositiveInfinity, Exp(89));
        Assert.True(float.IsNaN(Exp(float.NaN)));

        Assert.Equal(1f, Exp2(0));
        Assert.Equal(0f, Exp2(float.NegativeInfinity));
        Assert.True(float.IsNaN(Exp2(float.NaN)) && float.IsNaN(Exp2(BitConverter.Int32BitsToSingle(0x7FFFFFFF))));

        static float Exp(float x) => VectorMath.Exp<Simd256, Vector256<float>>(Vector256.Create(x))[0];
        static float Exp2(float x) => VectorMath.Exp2<Simd256, Vector256<float>>(Vector256.Create(x))[0];
    }

    [Fact]
    public void Every_half_widens_exactly()
    {
        float* lanes = stackalloc float[16];
        uint* words = stackalloc uint[16];
        for (uint bits = 0; bits <= ushort.MaxValue; bits++)
        {
            float expected = (float)BitConverter.UInt16BitsToHalf((ushort)bits);
            new Span<uint>(words, 16).Fill(bits | (~bits << 16));
            Check<Simd512, Vector512<float>>(expected);
            Check<Simd256, Vector256<float>>(expected);
            Check<Simd128, Vector128<float>>(expected);
        }

        void Check<TSimd, TVector>(float expected)
            where TSimd : ISimd<TVector>
            where TVector : struct
        {
            TSimd.Store(TSimd.LowF16(TSimd.Load((float*)words)), lanes);
            Assert.Equal(float.IsNaN(expected), float.IsNaN(lanes[0]));
            if (!float.IsNaN(expected)) Assert.Equal(BitConverter.SingleToInt32Bits(expected), BitConverter.SingleToInt32Bits(lanes[0]));
        }
    }

    private static void Sweep<TSimd, TVector>()
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        float* lanes = stackalloc float[16];
        for (double at = -100; at < 100; at += 0.00371)
        {
            float x = (float)at;
            float exp = Apply(VectorMath.Exp<TSimd, TVector>(TSimd.Create(x)));
            double expected = Math.Exp(x);
            if (x is > -86.5f and < 88.72f) Assert.True(Math.Abs(exp - expected) <= 2e-7 * expected, $"{TSimd.Name} exp({x:R}) = {exp:R}");
            else if (x < -86.5f) Assert.Equal(0, exp);

            float power = Apply(VectorMath.Exp2<TSimd, TVector>(TSimd.Create(1.3f * Math.Min(x, 0))));
            double exact = Math.Pow(2, 1.3f * Math.Min(x, 0));
            if (1.3f * x >= -126) Assert.True(Math.Abs(power - exact) <= 3e-7 * exact, $"{TSimd.Name} 2^{1.3f * Math.Min(x, 0):R} = {power:R}");
            else Assert.Equal(0, power);

            float small = (float)(at / 10);
            double tanh = Math.Tanh(small);
            float actual = Apply(VectorMath.Tanh<TSimd, TVector>(TSimd.Create(small)));
            Assert.True(Math.Abs(actual - tanh) <= Math.Min(2e-7, 5e-7 * Math.Abs(tanh)) + 1e-30, $"{TSimd.Name} tanh({small:R}) = {actual:R}");
        }

        float Apply(TVector value)
        {
            TSimd.Store(value, lanes);
            return lanes[0];
        }
    }
}
