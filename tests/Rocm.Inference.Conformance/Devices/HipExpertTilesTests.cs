using Rocm.Inference.Devices;
using Rocm.Inference.Devices.Hip;
using Rocm.Inference.Devices.Hip.Aiter;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Conformance.Devices;

/// <summary>moe/tile_experts.hip against the same tables made on the host: whatever falls on the experts, and nothing written where there are no tiles.</summary>
public sealed class HipExpertTilesTests
{
    private const int Seed = 41;

    public static TheoryData<string> Targets => [EmulatedGpu.Gfx942, EmulatedGpu.Gfx1100];

    [Theory]
    [MemberData(nameof(Targets))]
    public void Tables_are_those_of_a_plain_count(string target)
    {
        using IDevice device = HipDevices.Create(target);
        var random = new TestRandom(Seed);

        // Of the experts that there are only some are chosen: one, some (the others have no tokens), all.
        foreach ((int tokens, int topK, int numExperts, int chosen, int tileRows) in new[]
        {
            (1, 1, 1, 1, 32), (1, 8, 256, 256, 32), (70, 1, 5, 1, 32), (70, 2, 9, 3, 32), (64, 1, 2, 2, 32), (40, 3, 700, 700, 16), (33, 4, 7, 7, 64), (3, 2, 4, 2, 16),
        })
        {
            int[] experts = [.. Enumerable.Range(0, tokens * topK).Select(_ => numExperts - 1 - random.Next(0, chosen))];
            Check(device, random, experts, tokens, topK, numExperts, tileRows);
        }
    }

    [Theory]
    [InlineData(1, 256, 32, 1)]
    [InlineData(8, 256, 32, 8)]
    [InlineData(256, 256, 32, 256)]
    [InlineData(288, 256, 32, 257)]
    [InlineData(287, 256, 32, 256)]
    [InlineData(64, 1, 32, 2)]
    [InlineData(65, 1, 32, 3)]
    public void The_room_for_tiles_is_what_the_worst_distribution_takes(int assignments, int numExperts, int tileRows, int expected)
    {
        Assert.Equal(expected, AiterExpertTiles.MaxTiles(assignments, numExperts, tileRows));

        // An expert with one row more than whole tiles wastes most: one row each, and all that is left to one.
        int used = Math.Min(assignments, numExperts), left = assignments - used;
        Assert.Equal(expected, used - 1 + ((1 + left + tileRows - 1) / tileRows));
    }

    private static void Check(IDevice device, TestRandom random, int[] experts, int tokens, int topK, int numExperts, int tileRows)
    {
        string what = $"{tokens} x {topK} of {numExperts}, tiles of {tileRows}, seed {Seed}";
        using var tensors = new PoisonedTensors(device, 1 << 20);
        MoeTensors sorted = MoeTensors.Sort(tensors, experts, tokens, topK, numExperts);
        float[] weights = random.Floats(tokens * topK);
        int max = AiterExpertTiles.MaxTiles(tokens * topK, numExperts, tileRows);
        var tiles = new AiterExpertTiles.Tables
        {
            Rows = tensors.Poison(DType.I32, max * tileRows),
            Weights = tensors.Poison(DType.F32, max * tileRows),
            Experts = tensors.Poison(DType.I32, max),
            RowCount = tensors.Poison(DType.I32, 1),
            TileRows = tileRows,
        };
        new AiterExpertTiles(((HipGpu)device).Library).Enqueue(
            HipContext.Of(tensors.Context), sorted.OffsetsView, sorted.OrderView, tensors.F32(weights, tokens, topK), tiles);

        List<int> rows = [], tileExperts = [];
        List<float> rowWeights = [];
        for (int e = 0; e < numExperts; e++)
        {
            int[] own = [.. Enumerable.Range(0, tokens * topK).Where(assignment => experts[assignment] == e)];
            foreach (int[] tile in own.Chunk(tileRows))
            {
                tileExperts.Add(e);
                rows.AddRange(tile.Select(assignment => (assignment / topK) | ((assignment % topK) << 24)));
                rowWeights.AddRange(tile.Select(assignment => weights[assignment]));
                rows.AddRange(Enumerable.Repeat(tokens | (topK << 24), tileRows - tile.Length));
                rowWeights.AddRange(Enumerable.Repeat(0f, tileRows - tile.Length));
            }
        }

        // Beyond stays what was there.
        const int Untouched = -1;
        Assert.InRange(tileExperts.Count, 1, max);
        Assert.Equal([rows.Count], Read(tiles.RowCount));
        Assert.True(Enumerable.Range(0, max * tileRows).Select(i => i < rows.Count ? rows[i] : Untouched).SequenceEqual(Read(tiles.Rows)), $"rows: {what}");
        Assert.True(Enumerable.Range(0, max).Select(i => i < tileExperts.Count ? tileExperts[i] : Untouched).SequenceEqual(Read(tiles.Experts)), $"experts: {what}");
        float[] found = tensors.Read(tiles.Weights);
        Assert.Equal(rowWeights, found[..rowWeights.Count]);
        Assert.All(found[rowWeights.Count..], weight => Assert.True(float.IsNaN(weight)));
        tensors.Verify();

        int[] Read(TensorView view)
        {
            var values = new int[view.Count];
            tensors.Context.Download(view, values.AsSpan());
            return values;
        }
    }
}
