using System.Runtime.Intrinsics;
using Rocm.Inference.Devices.Cpu.Simd;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Conformance.Devices;

/// <summary>8-bit floats in every vector width against their definition.</summary>
public sealed unsafe class Float8Tests
{
    [Fact]
    public void Every_byte_widens_exactly()
    {
        foreach (DType dtype in new[] { DType.F8E4M3Fn, DType.F8E4M3Fnuz, DType.F8E5M2 }) ForEach(dtype, new Widening(dtype));
    }

    [Theory]
    [InlineData(DType.F8E4M3Fn)]
    [InlineData(DType.F8E4M3Fnuz)]
    [InlineData(DType.F8E5M2)]
    public void Floats_round_to_the_nearest_byte(DType dtype)
    {
        var random = new Random((int)dtype);
        var values = new List<float> { 0, -0f, float.NaN, -float.NaN, float.PositiveInfinity, float.NegativeInfinity, float.MaxValue, -float.MaxValue, float.Epsilon, -1e-40f };
        for (uint bits = 0; bits < 0x7F; bits++)
        {
            double low = OracleNumbers.Decode(dtype, bits), high = OracleNumbers.Decode(dtype, bits + 1);
            if (!double.IsFinite(high)) high = low * 1.25;
            float middle = (float)((low + high) / 2);
            values.AddRange([(float)low, -(float)low, middle, -middle, MathF.BitIncrement(middle), MathF.BitDecrement(middle), -MathF.BitIncrement(middle)]);
        }

        for (int i = 0; i < 20_000; i++) values.Add(BitConverter.Int32BitsToSingle(random.Next(int.MinValue, int.MaxValue)));
        for (int i = 0; i < 20_000; i++) values.Add((float)((random.NextDouble() - 0.5) * Math.Pow(2, random.Next(-20, 20))));
        ForEach(dtype, new Rounding(dtype, [.. values]));
    }

    private static void ForEach(DType dtype, IFloat8Check check)
    {
        switch (dtype)
        {
            case DType.F8E4M3Fn: Widths<E4M3Fn>(check); break;
            case DType.F8E4M3Fnuz: Widths<E4M3Fnuz>(check); break;
            default: Widths<E5M2>(check); break;
        }
    }

    private static void Widths<TFormat>(IFloat8Check check)
        where TFormat : struct, IFloat8Format
    {
        check.Run<TFormat, Simd128, Vector128<float>>();
        check.Run<TFormat, Simd256, Vector256<float>>();
        check.Run<TFormat, Simd512, Vector512<float>>();
    }

    private interface IFloat8Check
    {
        void Run<TFormat, TSimd, TVector>()
            where TFormat : struct, IFloat8Format
            where TSimd : struct, ISimd<TVector>
            where TVector : struct;
    }

    private sealed class Widening(DType dtype) : IFloat8Check
    {
        public void Run<TFormat, TSimd, TVector>()
            where TFormat : struct, IFloat8Format
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
        {
            // 253 leaves a part of a vector at the end of the row; the rest is done on its own.
            byte[] bytes = [.. Enumerable.Range(0, 256).Select(b => (byte)b)];
            var floats = new float[256];
            var halves = new ushort[256];
            fixed (byte* source = bytes)
            fixed (float* target = floats)
            fixed (ushort* words = halves)
            {
                Float8<TFormat, TSimd, TVector>.WidenRow(source, target, 253);
                Float8<TFormat, TSimd, TVector>.WidenRow(source + 253, target + 253, 3);
                Float8<TFormat, TSimd, TVector>.WidenRow(source, words, 253);
                Float8<TFormat, TSimd, TVector>.WidenRow(source + 253, words + 253, 3);
            }

            for (uint b = 0; b < 256; b++)
            {
                double expected = OracleNumbers.Decode(dtype, b);
                Check(expected, floats[b], b);
                Check(expected, OracleNumbers.Decode(DType.BF16, halves[b]), b);
            }

            void Check(double expected, double actual, uint b) => Assert.True(
                double.IsNaN(expected) ? double.IsNaN(actual) : BitConverter.DoubleToInt64Bits(expected) == BitConverter.DoubleToInt64Bits(actual),
                $"{dtype} {b:X2} in {TSimd.Name}: {actual:R}, expected {expected:R}");
        }
    }

    private sealed class Rounding(DType dtype, float[] values) : IFloat8Check
    {
        private readonly uint[] _expected = [.. values.Select(v => OracleNumbers.Encode(dtype, v))];

        public void Run<TFormat, TSimd, TVector>()
            where TFormat : struct, IFloat8Format
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
        {
            var bytes = new byte[values.Length + 1];
            bytes[^1] = 0xA5;
            fixed (float* source = values)
            fixed (byte* target = bytes)
            {
                Float8<TFormat, TSimd, TVector>.RoundRow(source, 1, target, values.Length);
            }

            Assert.Equal(0xA5, bytes[^1]);
            for (int i = 0; i < values.Length; i++)
            {
                bool same = float.IsNaN(values[i]) ? double.IsNaN(OracleNumbers.Decode(dtype, bytes[i])) : bytes[i] == _expected[i];
                Assert.True(same, $"{dtype} {values[i]:R} in {TSimd.Name}: {bytes[i]:X2}, expected {_expected[i]:X2}");
            }
        }
    }
}
