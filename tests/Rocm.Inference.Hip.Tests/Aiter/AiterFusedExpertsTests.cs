using System.Collections.Immutable;
using Rocm.Inference.Native.Aiter;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Hip.Tests.Aiter;

/// <summary>AITER's gated experts in one kernel, executed, against the products in double precision.</summary>
[Collection(AiterCheckout.Collection)]
public sealed class AiterFusedExpertsTests(ITestOutputHelper log)
{
    private const int Block = AiterScaledWeight.Block;

    [Theory]
    [InlineData(1, 512, 128)]
    [InlineData(7, 1536, 256)]
    [InlineData(40, 512, 256)]
    [InlineData(9, 512, 768)]
    public void Experts_err_by_what_lies_between_their_products_is_rounded_to(int tokens, int width, int inner)
    {
        using AiterCheckout aiter = AiterCheckout.Open(inStep: true);
        Assert.SkipWhen(aiter.Library.Kernels.FusedExperts.IsEmpty, "This AITER has no gated fp8 experts with scales of blocks.");
        var shape = new AiterFusedExpertsShape(Experts: 4, Choices: 2, width, inner);
        AiterFusedExperts? experts = AiterFusedExperts.TryCreate(aiter.Library, shape, computeUnits: 1, out ImmutableArray<string> reasons);
        Assert.True(experts is not null, string.Join(' ', reasons));
        var random = new TestRandom(96);
        log.WriteLine($"{experts.SymbolFor(1)}, seed {random.Seed}");
        int groups = width / Block, innerGroups = inner / Block, gate = 2 * inner;
        (byte[] input, double[] x) = Draw(random, tokens * width);
        (byte[] gateUp, double[] w1) = Draw(random, shape.Experts * gate * width);
        (byte[] down, double[] w2) = Draw(random, shape.Experts * width * inner);
        float[] inputScales = Scales(random, groups * tokens), gateUpScales = Scales(random, shape.Experts * 2 * innerGroups * groups), downScales = Scales(random, shape.Experts * groups * innerGroups);

        // Token t goes to experts t and t + 1 or t + 2, so that their numbers of rows differ.
        var chosen = new List<(int Expert, int Token, int Choice, float Weight)>();
        for (int t = 0; t < tokens; t++)
        {
            chosen.Add((t % shape.Experts, t, 0, 0.75f));
            chosen.Add(((t + 1 + (t % 2)) % shape.Experts, t, 1, 0.25f + (0.01f * t)));
        }

        List<int> rows = [], tileExperts = [];
        List<float> weights = [];
        foreach (IGrouping<int, (int Expert, int Token, int Choice, float Weight)> expert in chosen.GroupBy(choice => choice.Expert).OrderBy(group => group.Key))
        {
            rows.AddRange(expert.Select(choice => choice.Token | (choice.Choice << 24)));
            weights.AddRange(expert.Select(choice => choice.Weight));
            while (rows.Count % experts.TileRows != 0)
            {
                rows.Add(tokens | (shape.Choices << 24));
                weights.Add(0);
            }

            while (tileExperts.Count < rows.Count / experts.TileRows) tileExperts.Add(expert.Key);
        }

        nint output = aiter.Upload<ushort>(new ushort[tokens * width]);
        experts.Launch(aiter.Stream, new AiterFusedExpertsArguments
        {
            Output = output,
            Input = aiter.Upload<byte>([.. input, .. Enumerable.Repeat((byte)0x80, width)]),
            InputScales = aiter.Upload<float>([.. inputScales, .. Enumerable.Repeat(float.NaN, (2 * tokens) + 1)]),
            GateUp = aiter.Upload<byte>([.. Shuffle(gateUp, width), .. new byte[65536]]),
            GateUpScales = aiter.Upload<float>([.. gateUpScales, .. Enumerable.Repeat(float.NaN, 4096)]),
            Down = aiter.Upload<byte>([.. Shuffle(down, inner), .. new byte[65536]]),
            DownScales = aiter.Upload<float>([.. downScales, .. Enumerable.Repeat(float.NaN, 4096)]),
            SortedRows = aiter.Upload<int>([.. rows]),
            SortedWeights = aiter.Upload<float>([.. weights]),
            TileExperts = aiter.Upload<int>([.. tileExperts]),
            RowCount = aiter.Upload<int>([rows.Count]),
            Tokens = tokens,
            Tiles = tileExperts.Count,
        });
        float[] found = [.. aiter.Download<ushort>(output, tokens * width).Select(bits => (float)OracleNumbers.Decode(DType.BF16, bits))];

        double[] expected = new double[tokens * width];
        foreach ((int expert, int token, _, float weight) in chosen)
        {
            double[] first = new double[gate];
            for (int n = 0; n < gate; n++)
            {
                for (int k = 0; k < width; k++)
                {
                    first[n] += x[(token * width) + k] * inputScales[(k / Block * tokens) + token]
                        * w1[(((expert * gate) + n) * width) + k] * gateUpScales[(((expert * 2 * innerGroups) + (n / Block)) * groups) + (k / Block)];
                }
            }

            for (int n = 0; n < width; n++)
            {
                double sum = 0;
                for (int k = 0; k < inner; k++)
                {
                    double between = first[k] / (1 + Math.Exp(-first[k])) * first[inner + k];
                    sum += between * w2[(((expert * width) + n) * inner) + k] * downScales[(((expert * groups) + (n / Block)) * innerGroups) + (k / Block)];
                }

                expected[(token * width) + n] += weight * sum;
            }
        }

        double error = RelativeError.Of(expected, found);
        log.WriteLine($"error {error:0.0000}");

        // fp8 has 3 bits besides its first: 2⁻⁴ of each element at most.
        Assert.InRange(error, 0, 0.04);
    }

    private static (byte[] Bytes, double[] Values) Draw(TestRandom random, int count)
    {
        byte[] bytes = [.. random.Floats(count, 8).Select(value => (byte)OracleNumbers.Encode(DType.F8E4M3Fnuz, value))];
        return (bytes, [.. bytes.Select(value => OracleNumbers.Decode(DType.F8E4M3Fnuz, value))]);
    }

    private static float[] Scales(TestRandom random, int count) => [.. random.Floats(count).Select(value => 0.01f + (0.01f * MathF.Abs(value)))];

    private static byte[] Shuffle(byte[] weight, int inputs)
    {
        byte[] shuffled = new byte[weight.Length];
        AiterScaledWeight.Shuffle(weight, inputs, shuffled);
        return shuffled;
    }
}
