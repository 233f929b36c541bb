using System.Numerics;

namespace Rocm.Inference.Native.Tests.Emulator;

/// <summary>What instructions compute, against .NET's arithmetic: exactly, but for the transcendental unit's last bit.</summary>
[Collection(GfxEmulator.Collection)]
public sealed class NumberTests(GfxEmulator device)
{
    private const int Count = 1024;

    public static TheoryData<string> Targets => ["gfx942", "gfx1100"];

    [Theory]
    [MemberData(nameof(Targets))]
    public void Conversions_round_and_saturate(string arch)
    {
        using EmulatedModule module = Load(arch);
        float[] x = Numbers(41);
        nint values = module.Output<float>(4 * Count), bits = module.Output<uint>(2 * Count);
        module.Launch("convert", Count / 64, 64, module.Upload<float>(x), values, bits);
        float[] got = module.Download<float>(values, 4 * Count);
        uint[] integers = module.Download<uint>(bits, 2 * Count);
        for (int i = 0; i < Count; i++)
        {
            Assert.Equal([(float)(Half)x[i], ToBFloat16(x[i]), MathF.Floor(x[i]), MathF.Round(x[i], MidpointRounding.ToEven)], got[(4 * i)..(4 * (i + 1))]);
            Assert.Equal(float.IsNaN(x[i]) ? 0 : (uint)(int)Math.Clamp((double)x[i], int.MinValue, int.MaxValue), integers[2 * i]);
            Assert.Equal(x[i] > 0 && x[i] < 4294967040.0f ? (uint)x[i] : 0, integers[(2 * i) + 1]);
        }
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void Transcendental_functions_are_within_one_ulp_and_division_is_exact(string arch)
    {
        using EmulatedModule module = Load(arch);
        float[] x = Numbers(42);
        nint values = module.Output<float>(8 * Count);
        module.Launch("transcendental", Count / 64, 64, module.Upload<float>(x), values);
        float[] got = module.Download<float>(values, 8 * Count);
        for (int i = 0; i < Count; i++)
        {
            // The unit takes and gives no denormals.
            double v = Flush(x[i]);
            double[] expected = [Flush((float)Math.Pow(2, v)), Math.Log2(v), Flush((float)(1 / v)), 1 / Math.Sqrt(v), Math.Sqrt(v), (float)Math.Pow(2, x[i])];
            for (int k = 0; k < expected.Length; k++) Near((float)expected[k], got[(8 * i) + k], $"function {k} of {x[i]:R}");
            Assert.Equal(1.0f / x[i], got[(8 * i) + 6]);
            Assert.Equal(x[i] / 3.7f, got[(8 * i) + 7]);
        }

        static float Flush(float v) => MathF.Abs(v) < 1.17549435e-38f ? MathF.CopySign(0, v) : v;
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void Wide_integers_multiply_divide_and_shift(string arch)
    {
        using EmulatedModule module = Load(arch);
        var random = new Random(43);
        ulong[] x = [0, 1, ulong.MaxValue, 1ul << 63, .. Enumerable.Range(0, Count - 4).Select(_ => (ulong)random.NextInt64(long.MinValue, long.MaxValue) >> random.Next(64))];
        ulong[] y = [1, ulong.MaxValue, 0, 1ul << 63, .. Enumerable.Range(0, Count - 4).Select(_ => (ulong)random.NextInt64(long.MinValue, long.MaxValue) >> random.Next(64))];
        nint values = module.Output<ulong>(10 * Count);
        module.Launch("integers", Count / 64, 64, module.Upload<ulong>(x), module.Upload<ulong>(y), values);
        ulong[] got = module.Download<ulong>(values, 10 * Count);
        for (int i = 0; i < Count; i++)
        {
            ulong a = x[i], b = y[i];
            ulong[] expected =
            [
                a * b, a + b, a - b, b == 0 ? 0 : a / b, b == 0 ? 0 : (ulong)((long)a % (long)((b >> 1) | 1)), a << (int)(b & 63), (ulong)((long)a >> (int)(b & 63)),
                (uint)BitOperations.PopCount(a) | ((ulong)(uint)BitOperations.LeadingZeroCount(a | 1) << 8) | ((ulong)(uint)BitOperations.TrailingZeroCount(a | (1ul << 63)) << 16),
                Math.BigMul(a, b, out _), a < b ? 1u : (long)a > (long)b ? 2u : 3u,
            ];
            Assert.Equal(expected, got[(10 * i)..(10 * (i + 1))]);
        }
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void Packed_halves_round_once(string arch)
    {
        using EmulatedModule module = Load(arch);
        var random = new Random(44);
        Half[] a = Halves(), b = Halves(), c = Halves();
        nint values = module.Output<Half>(8 * Count);
        module.Launch("halves", Count / 64, 64, module.Upload<Half>(a), module.Upload<Half>(b), module.Upload<Half>(c), values);
        Half[] got = module.Download<Half>(values, 8 * Count);
        for (int i = 0; i < Count; i++)
        {
            Half[] expected =
            [
                a[2 * i] + b[2 * i], a[(2 * i) + 1] + b[(2 * i) + 1], a[2 * i] * b[2 * i], a[(2 * i) + 1] * b[(2 * i) + 1],
                Fused(a[2 * i], b[2 * i], c[2 * i]), Fused(a[(2 * i) + 1], b[(2 * i) + 1], c[(2 * i) + 1]), a[(2 * i) + 1] / b[2 * i], a[2 * i] - b[(2 * i) + 1],
            ];
            for (int k = 0; k < 8; k++) Assert.True(expected[k].Equals(got[(8 * i) + k]), $"result {k} of {i}: expected {expected[k]}, found {got[(8 * i) + k]}");
        }

        Half[] Halves() => [.. Enumerable.Range(0, 2 * Count).Select(_ => (Half)(float)((random.NextDouble() - 0.5) * Math.Pow(2, random.Next(-16, 12))))];
        // The exact sum fits into a decimal, but for its scale: 2^48 times it is an integer of 96 bits.
        static Half Fused(Half x, Half y, Half z) => RoundExact(((Int128)((double)x * 16777216) * (Int128)((double)y * 16777216)) + ((Int128)((double)z * 16777216) << 24));
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void Doubles_are_exact(string arch)
    {
        using EmulatedModule module = Load(arch);
        var random = new Random(45);
        double[] a = [.. Enumerable.Range(0, Count).Select(_ => (random.NextDouble() - 0.5) * Math.Pow(2, random.Next(-30, 30)))];
        double[] b = [.. Enumerable.Range(0, Count).Select(_ => (random.NextDouble() - 0.5) * Math.Pow(2, random.Next(-30, 30)))];
        nint values = module.Output<double>(4 * Count);
        module.Launch("doubles", Count / 64, 64, module.Upload<double>(a), module.Upload<double>(b), values);
        double[] got = module.Download<double>(values, 4 * Count);
        for (int i = 0; i < Count; i++)
            Assert.Equal([(a[i] * b[i]) + 1.0, a[i] / b[i], Math.FusedMultiplyAdd(a[i], b[i], -1.0), (double)(float)a[i] + (int)b[i]], got[(4 * i)..(4 * (i + 1))]);
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void Bits_are_permuted_extracted_and_clamped(string arch)
    {
        using EmulatedModule module = Load(arch);
        var random = new Random(46);
        uint[] a = [.. Enumerable.Range(0, Count).Select(_ => (uint)random.NextInt64(1L << 32))], b = [.. Enumerable.Range(0, Count).Select(_ => (uint)random.NextInt64(1L << 32))];
        nint values = module.Output<uint>(6 * Count);
        module.Launch("bits", Count / 64, 64, module.Upload<uint>(a), module.Upload<uint>(b), values);
        uint[] got = module.Download<uint>(values, 6 * Count);
        for (int i = 0; i < Count; i++)
        {
            uint x = a[i], y = b[i];
            uint permuted = (x >> 24 << 24) | ((x >> 16 & 255) << 16) | ((y >> 8 & 255) << 8);
            uint reversed = 0;
            for (int k = 0; k < 32; k++) reversed |= (x >> k & 1) << (31 - k);
            ushort s = (ushort)(((ushort)x * (ushort)y) + (ushort)(x >> 16));
            uint[] expected =
            [
                permuted, (x >> 5 & 0x1ff) | ((uint)((int)(y << 7) >> 21) << 9), (uint)((((ulong)x << 32) | y) >> 13),
                reversed ^ System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(y), (uint)Math.Clamp((int)x, -5000, 70000), (uint)(ushort)(s >> 3) ^ (byte)(x + y),
            ];
            Assert.Equal(expected, got[(6 * i)..(6 * (i + 1))]);
        }
    }

    [Fact]
    public void Eight_bit_floats_of_gfx942_round_to_nearest_even()
    {
        using EmulatedModule module = Load("gfx942");
        var random = new Random(47);
        float[] x = [.. Enumerable.Range(0, 2 * Count).Select(_ => (float)((random.NextDouble() - 0.5) * Math.Pow(2, random.Next(-14, 8))))];
        nint packed = module.Output<uint>(Count), back = module.Output<float>(4 * Count);
        module.Launch("fp8", Count / 64, 64, module.Upload<float>(x), packed, back);
        float[] got = module.Download<float>(back, 4 * Count);
        nint pairs = module.Output<float>(4 * Count);
        module.Launch("fp8_pairs", Count / 64, 64, packed, pairs);
        Assert.Equal(got, module.Download<float>(pairs, 4 * Count));
        for (int i = 0; i < Count; i++)
            Assert.Equal([RoundTo(x[2 * i], 3, -7), RoundTo(x[(2 * i) + 1], 3, -7), RoundTo(x[2 * i], 2, -15), RoundTo(x[(2 * i) + 1], 2, -15)], got[(4 * i)..(4 * (i + 1))]);

        // Values of a format with so many bits of mantissa and so small a normal exponent; these inputs do not overflow it.
        static float RoundTo(float x, int mantissa, int smallest)
        {
            int exponent = Math.Max(x == 0 ? smallest : Math.ILogB(x), smallest);
            double unit = Math.Pow(2, exponent - mantissa);
            return (float)(Math.Round(x / unit, MidpointRounding.ToEven) * unit) + 0.0f;
        }
    }

    private EmulatedModule Load(string arch)
    {
        device.Reset(arch);
        return new EmulatedModule(device, device.Compile("numbers", arch));
    }

    private static float[] Numbers(int seed)
    {
        var random = new Random(seed);
        float[] special = [0, -0.0f, 1, -1, 0.5f, 1.5f, 2.5f, -2.5f, 65504, 65520, 3e38f, -3e38f, 1e-38f, 1e-42f, -1e-42f, 6e-8f, 1e9f, -3e9f, 5e9f, float.PositiveInfinity,
            float.NegativeInfinity, float.NaN, 127.9f, -126.5f, -149];
        return [.. special, .. Enumerable.Range(0, Count - special.Length).Select(_ => (float)((random.NextDouble() - 0.4) * Math.Pow(2, random.Next(-20, 20))))];
    }

    private static float ToBFloat16(float x)
    {
        uint bits = BitConverter.SingleToUInt32Bits(x);
        if (float.IsNaN(x)) return x;
        return BitConverter.UInt32BitsToSingle((bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000);
    }

    // An integer times 2^-48, to the nearest half.
    private static Half RoundExact(Int128 value)
    {
        if (value == 0) return (Half)0;
        Int128 magnitude = Int128.Abs(value);
        int top = 127 - (int)Int128.LeadingZeroCount(magnitude);
        int drop = Math.Max(top - 10, 24);
        Int128 kept = magnitude >> drop, rest = magnitude & ((Int128.One << drop) - 1), middle = Int128.One << (drop - 1);
        if (rest > middle || (rest == middle && (kept & 1) == 1)) kept++;
        double rounded = (double)kept * Math.Pow(2, drop - 48);
        return (Half)(value < 0 ? -rounded : rounded);
    }

    private static void Near(float expected, float found, string what)
    {
        if (expected.Equals(found) || expected == found) return;
        float ulp = MathF.Max(MathF.BitIncrement(MathF.Abs(expected)) - MathF.Abs(expected), float.Epsilon);
        Assert.True(MathF.Abs(expected - found) <= ulp, $"{what}: expected {expected:R}, found {found:R}");
    }
}
