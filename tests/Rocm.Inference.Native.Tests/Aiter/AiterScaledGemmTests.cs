using Rocm.Inference.Native.Aiter;
using Rocm.Inference.Native.Hip;

namespace Rocm.Inference.Native.Tests.Aiter;

/// <summary>Products of fp8 matrices with scales of blocks: packed bytes, grids, the choice of tiles, and the layout of weights.</summary>
public sealed class AiterScaledGemmTests
{
    [Fact]
    public void Arguments_are_packed_as_section_8_3_lists_them()
    {
        byte[] kernarg = new byte[AiterKernelCheck.MaxKernargBytes];
        kernarg.AsSpan().Fill(0xcd);
        AiterScaledGemm.Pack(kernarg, 2048, 7168, new AiterScaledGemmArguments
        {
            Output = 0x1000, Input = 0x2000, Weight = 0x3000, InputScales = 0x4000, WeightScales = 0x5000, Bias = 0x6000, Rows = 37,
        });
        Assert.Equal(
            KernargText.Parse(
                """
                00 p1000
                10 p2000
                20 p3000
                30 p4000
                40 p5000
                50 p6000
                60 37
                70 2048
                80 7168
                90 7168
                a0 7168
                b0 4096
                c0 1
                d0 37
                e0 16
                f0 56
                """,
                kernarg.Length),
            kernarg);
        Assert.Equal(new HipDim3(16, 2), AiterScaledGemm.GridOf(32, 128, 2048, 37));
    }

    [Theory]
    [InlineData(1, 16, 304, 32)]
    [InlineData(48, 1, 1, 48)]
    [InlineData(49, 1, 1, 64)]
    [InlineData(128, 1, 1, 128)]
    [InlineData(640, 16, 304, 48)]
    [InlineData(4096, 56, 304, 128)]
    public void The_tile_is_the_one_that_is_done_first(int rows, int columns, int computeUnits, int expected)
    {
        int[] tiles = [32, 48, 64, 80, 96, 128];
        Assert.Equal(expected, tiles[AiterScaledGemm.Choose(tiles, rows, columns, computeUnits)]);
    }

    [Fact]
    public void Weights_that_no_block_divides_are_refused()
    {
        Assert.Equal(["Outputs and inputs are multiples of 128, not 576 and 7000."], AiterScaledGemm.Refusals(576, 7000));
        Assert.Equal(["A weight has less than 2147483648 elements, not 2147483648."], AiterScaledGemm.Refusals(1 << 16, 1 << 15));
        Assert.Empty(AiterScaledGemm.Refusals(128, 128));
    }

    [Fact]
    public void Shuffled_weights_have_the_16_inputs_of_16_outputs_together()
    {
        const int outputs = 32, inputs = 64;
        byte[] weight = [.. Enumerable.Range(0, outputs * inputs).Select(i => (byte)(i * 7))], shuffled = new byte[weight.Length];
        AiterScaledWeight.Shuffle(weight, inputs, shuffled);
        for (int n = 0; n < outputs; n++)
        {
            for (int k = 0; k < inputs; k++)
            {
                // [outputs / 16, inputs / 32, 2, 16 outputs, 16 inputs]
                int at = (((((n / 16 * (inputs / 32)) + (k / 32)) * 2 + (k / 16 % 2)) * 16 + (n % 16)) * 16) + (k % 16);
                Assert.Equal(weight[(n * inputs) + k], shuffled[at]);
            }
        }

        Assert.Throws<ArgumentException>(() => AiterScaledWeight.Shuffle(weight, 48, shuffled));
    }

    [Fact]
    public void Ocp_bits_are_the_FNUZ_ones_of_half_the_value_but_for_negative_zero_and_NaN()
    {
        byte[] all = [.. Enumerable.Range(0, 256 + 7).Select(i => (byte)i)];
        AiterScaledWeight.ToFnuz(all);
        for (int i = 0; i < all.Length; i++) Assert.Equal(i is 0x7f or 0xff ? 0x80 : i == 0x80 ? 0 : i & 0xff, all[i]);
    }
}
