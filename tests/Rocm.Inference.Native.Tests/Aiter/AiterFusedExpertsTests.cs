using Rocm.Inference.Native.Aiter;
using Rocm.Inference.Native.Hip;

namespace Rocm.Inference.Native.Tests.Aiter;

/// <summary>Gated experts in one kernel: packed bytes, grid and refusals.</summary>
public sealed class AiterFusedExpertsTests
{
    [Fact]
    public void Arguments_are_packed_as_section_8_2_lists_them()
    {
        var shape = new AiterFusedExpertsShape(Experts: 256, Choices: 8, Width: 7168, Inner: 256);
        byte[] kernarg = new byte[AiterKernelCheck.MaxKernargBytes];
        kernarg.AsSpan().Fill(0xcd);
        var arguments = new AiterFusedExpertsArguments
        {
            Output = 0x1000, Input = 0x2000, InputScales = 0x3000, GateUp = 0x4000, GateUpScales = 0x5000, Down = 0x6000, DownScales = 0x7000, SortedRows = 0x8000,
            SortedWeights = 0x9000, TileExperts = 0xa000, RowCount = 0xb000, Tokens = 37, Tiles = 40,
        };
        AiterFusedExperts.Pack(kernarg, shape, 128, arguments);
        Assert.Equal(
            KernargText.Parse(
                """
                00 p1000
                10 p2000
                20 p4000
                30 pb000
                40 p6000
                50 p3000
                60 p5000
                70 p7000
                90 p8000
                a0 p9000
                b0 pa000
                c0 7168
                d0 256
                e0 37
                f0 256
                100 7168
                110 7168
                120 256
                130 14336
                140 3670016
                150 1835008
                160 896
                170 448
                180 1024
                190 8
                1b0 2
                """,
                kernarg.Length),
            kernarg);
        Assert.Equal(new HipDim3(2, 40), AiterFusedExperts.GridOf(shape, 128, arguments));
        Assert.Equal(["Experts have a multiple of 512 inputs and of 128 columns between their products, not 7168 and 200."], AiterFusedExperts.Refusals(shape with { Inner = 200 }));
        Assert.Equal(["Experts have a multiple of 512 inputs and of 128 columns between their products, not 768 and 256."], AiterFusedExperts.Refusals(shape with { Width = 768 }));
        Assert.Empty(AiterFusedExperts.Refusals(shape));
        Assert.Equal(["Gate and up of all experts are at most 4294967296 bytes, not 7516192768."], AiterFusedExperts.Refusals(shape with { Inner = 2048 }));
    }

    [Fact]
    public void Few_tiles_of_rows_take_narrow_tiles_of_the_inner_width_and_many_wide_ones()
    {
        // 8 tiles of rows are 24 or 48 groups: both one round, the narrow one with fewer idle units. 120 are 360 or 720: two rounds of 304, or three.
        Assert.True(AiterFusedExperts.CostOf(768, 128, tiles: 8, computeUnits: 304).CompareTo(AiterFusedExperts.CostOf(768, 256, tiles: 8, computeUnits: 304)) < 0);
        Assert.Equal((3, 192), AiterFusedExperts.CostOf(768, 128, tiles: 120, computeUnits: 304));
        Assert.Equal((2, 248), AiterFusedExperts.CostOf(768, 256, tiles: 120, computeUnits: 304));
    }
}
