namespace Rocm.Inference.Native.Tests.Emulator;

/// <summary>MFMA of gfx942 and WMMA of gfx1100 against sums in double precision.</summary>
[Collection(GfxEmulator.Collection)]
public sealed class MatrixTests(GfxEmulator device)
{
    private const int Depth = 64;

    [Theory]
    [InlineData("gfx942", "gemm_f16", 16)]
    [InlineData("gfx942", "gemm_f16_32", 32)]
    [InlineData("gfx1100", "gemm_f16", 16)]
    public void Products_of_halves_sum_in_single_precision(string arch, string kernel, int edge)
    {
        using EmulatedModule module = Load(arch);
        Half[] a = [.. Values(edge * Depth, 51).Select(x => (Half)x)], b = [.. Values(edge * Depth, 52).Select(x => (Half)x)];
        nint c = module.Output<float>(edge * edge);
        module.Launch(kernel, 1, arch == "gfx942" ? 64 : 32, module.Upload<Half>(a), module.Upload<Half>(b), c, Depth);
        Close([.. a.Select(x => (double)x)], [.. b.Select(x => (double)x)], edge, Depth, module.Download<float>(c, edge * edge));
    }

    [Theory]
    [InlineData("gfx942", 64)]
    [InlineData("gfx1100", 32)]
    public void Products_of_bfloat16_sum_in_single_precision(string arch, int threads)
    {
        using EmulatedModule module = Load(arch);
        ushort[] a = [.. Values(16 * Depth, 53).Select(Top)], b = [.. Values(16 * Depth, 54).Select(Top)];
        nint c = module.Output<float>(256);
        module.Launch("gemm_bf16", 1, threads, module.Upload<ushort>(a), module.Upload<ushort>(b), c, Depth);
        Close([.. a.Select(Widen)], [.. b.Select(Widen)], 16, Depth, module.Download<float>(c, 256));

        static ushort Top(float x) => (ushort)(BitConverter.SingleToUInt32Bits(x) >> 16);
        static double Widen(ushort x) => BitConverter.UInt32BitsToSingle((uint)x << 16);
    }

    [Fact]
    public void Sixteen_small_products_keep_apart()
    {
        using EmulatedModule module = Load("gfx942");
        Half[] a = [.. Values(256, 55).Select(x => (Half)x)], b = [.. Values(256, 56).Select(x => (Half)x)];
        nint c = module.Output<float>(256);
        module.Launch("gemm_4x4", 1, 64, module.Upload<Half>(a), module.Upload<Half>(b), c);
        float[] got = module.Download<float>(c, 256);
        for (int block = 0; block < 16; block++)
            Close([.. a[(16 * block)..(16 * (block + 1))].Select(x => (double)x)], [.. b[(16 * block)..(16 * (block + 1))].Select(x => (double)x)], 4, 4, got[(16 * block)..(16 * (block + 1))]);
    }

    [Fact]
    public void Eight_bit_floats_multiply_on_gfx942()
    {
        using EmulatedModule module = Load("gfx942");
        var random = new Random(57);
        byte[] a = new byte[512], b = new byte[512];
        random.NextBytes(a);
        random.NextBytes(b);
        foreach (byte[] m in (byte[][])[a, b]) for (int k = 0; k < 512; k++) if (m[k] == 0x80) m[k] = 0;
        nint c = module.Output<float>(256);
        module.Launch("gemm_fp8", 1, 64, module.Upload<byte>(a), module.Upload<byte>(b), c);
        Close([.. a.Select(Value)], [.. b.Select(Value)], 16, 32, module.Download<float>(c, 256));

        // E4M3 FNUZ: bias 8.
        static double Value(byte x)
        {
            int exponent = x >> 3 & 15, mantissa = x & 7;
            double v = exponent == 0 ? mantissa * Math.Pow(2, -10) : (8 + mantissa) * Math.Pow(2, exponent - 11);
            return (x & 0x80) != 0 ? -v : v;
        }
    }

    // C = A x B with A [edge][depth] and B [depth][edge]; the error is bounded by the sum of magnitudes.
    private static void Close(double[] a, double[] b, int edge, int depth, float[] c)
    {
        for (int i = 0; i < edge; i++)
        {
            for (int j = 0; j < edge; j++)
            {
                double sum = 0, magnitude = 0;
                for (int k = 0; k < depth; k++)
                {
                    double product = a[(i * depth) + k] * b[(k * edge) + j];
                    sum += product;
                    magnitude += Math.Abs(product);
                }

                Assert.Equal(sum, c[(i * edge) + j], (magnitude * depth * 6e-8) + 1e-30);
            }
        }
    }

    private EmulatedModule Load(string arch)
    {
        device.Reset(arch);
        return new EmulatedModule(device, device.Compile("matrix", arch));
    }

    private static float[] Values(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => (random.NextSingle() * 2) - 1)];
    }
}
