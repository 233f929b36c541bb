using Rocm.Inference.Models;
using Xunit;

namespace Rocm.Inference.Tests.Models;

public sealed class LayerGroupPlanTests
{
    private static readonly AttentionSpec Full = new()
    {
        NumQoHeads = 4,
        NumKvHeads = 2,
        HeadDim = 16,
        VHeadDim = 16,
        SoftmaxScale = 0.25f,
        KvDType = DType.BF16,
        MaxSeqLen = 128,
    };

    private static readonly AttentionSpec Window = Full with { SlidingWindow = 32 };

    [Fact]
    public void Layers_of_one_kind_are_one_group()
    {
        LayerGroupPlan plan = LayerGroupPlan.Create([Full, Full, Full]);

        LayerGroup group = Assert.Single(plan.Groups);
        Assert.Equal([0, 1, 2], group.Layers);
        Assert.Equal(3, plan.LayersPerBlock);

        // 3 layers, 8 tokens, 2 heads, 16 + 16 elements of 2 bytes.
        Assert.Equal(3 * 8 * 2 * 32 * 2, plan.BytesPerBlock(8));
    }

    [Fact]
    public void Alternating_layers_are_two_groups_of_equal_size()
    {
        LayerGroupPlan plan = LayerGroupPlan.Create([Window, Full, Window, Full]);

        Assert.Equal(2, plan.Groups.Count);
        Assert.Equal([0, 2], plan.Groups[0].Layers);
        Assert.Equal(32, plan.Groups[0].Window);
        Assert.Null(plan.Groups[1].Window);
        Assert.Equal((1, 1), plan.Locate(3));
        Assert.Equal(2, plan.LayersPerBlock);
    }

    [Fact]
    public void Five_to_one_layers_are_cut_into_groups_of_the_smaller_kind()
    {
        // Gemma 3 1B: 26 layers of which every sixth sees everything.
        LayerGroupPlan plan = LayerGroupPlan.Create([.. Enumerable.Range(0, 26).Select(layer => (layer + 1) % 6 == 0 ? Full : Window)]);

        Assert.Equal(4, plan.LayersPerBlock);
        Assert.Equal(7, plan.Groups.Count);
        Assert.Equal(6, plan.Groups.Count(group => group.Window == 32));
        Assert.All(plan.Groups, group => Assert.InRange(group.Layers.Count, 3, 4));
        CheckPlaces(plan, 26);
    }

    [Fact]
    public void Counts_that_are_close_are_padded_instead_of_cut()
    {
        LayerGroupPlan plan = LayerGroupPlan.Create([.. Enumerable.Range(0, 9).Select(layer => layer % 2 == 0 ? Window : Full)]);

        Assert.Equal(2, plan.Groups.Count);
        Assert.Equal(5, plan.LayersPerBlock);
        CheckPlaces(plan, 9);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 99)]
    [InlineData(7, 9)]
    [InlineData(50, 450)]
    [InlineData(1, 9_999)]
    public void Every_layer_has_one_place_and_groups_stay_few(int full, int windows)
    {
        LayerGroupPlan plan = LayerGroupPlan.Create([.. Enumerable.Repeat(Full, full), .. Enumerable.Repeat(Window, windows)]);

        Assert.InRange(plan.Groups.Count, 2, 16);
        CheckPlaces(plan, full + windows);
    }

    [Fact]
    public void Kinds_of_unequal_bytes_are_refused_with_both_numbers()
    {
        var e = Assert.Throws<ModelLoadException>(() => LayerGroupPlan.Create([Full, Window with { NumKvHeads = 4 }]));

        Assert.Equal(("128 bytes per token and layer", "256 bytes"), (e.Expected, e.Found));
    }

    private static void CheckPlaces(LayerGroupPlan plan, int numLayers)
    {
        for (int layer = 0; layer < numLayers; layer++)
        {
            (int group, int index) = plan.Locate(layer);
            Assert.Equal(layer, plan.Groups[group].Layers[index]);
        }

        Assert.Equal(numLayers, plan.Groups.Sum(group => group.Layers.Count));
        Assert.All(plan.Groups, group => Assert.InRange(group.Layers.Count, 1, plan.LayersPerBlock));
    }
}
