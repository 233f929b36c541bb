using Rocm.Inference.Devices;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Conformance.Attention;

/// <summary>
/// Infinity and NaN in K or V of a key that some query tokens of a row see and others do not: the others must not change, though all of them go over the
/// same tiles of keys.
/// </summary>
public abstract class NonFiniteKeysConformance
{
    protected static readonly float[] Values = [float.NaN, float.PositiveInfinity, float.NegativeInfinity];

    protected abstract IDevice CreateDevice(int numThreads);

    /// <summary>How many of so many cases of a shape to run; the next shape goes on with the next ones.</summary>
    protected virtual int Cases(int all) => all;

    [Theory]
    [InlineData(false, null)]
    [InlineData(false, 7)]
    [InlineData(true, null)]
    [InlineData(true, 7)]
    public void Contiguous_keys_reach_only_tokens_that_see_them(bool packed, int? window)
    {
        using IDevice device = CreateDevice(2);
        var random = new TestRandom(502);
        int next = 0;
        foreach ((int context, int query, int cpuDim, int cpuValueDim, int ratio) in new[] { (0, 70, 32, 32, 2), (43, 9, 40, 24, 1), (185, 20, 32, 64, 4), (0, 230, 16, 50, 1) })
        {
            // Each shape takes a GPU a kernel to compile.
            (int dim, int valueDim) = device.ActivationDType == DType.F32 ? (cpuDim, cpuValueDim) : (64, 64);
            var spec = new AttentionSpec
            {
                NumQoHeads = 2 * ratio, NumKvHeads = 2, HeadDim = dim, VHeadDim = valueDim, SoftmaxScale = 0.2f, MaxSeqLen = 4096, SlidingWindow = window, KvDType = DType.F32,
            };
            for (int n = 0; n < Cases(6); n++)
            {
                int i = next++ % 6;
                var c = new FlashCase(random, spec, 0, causal: true, [FlashRowCase.Aligned(5, 30), FlashRowCase.Aligned(query, context + query)], device);
                int position = Partly(random, context, query, window);
                bool ofValue = i % 2 == 0;
                c.Replace(1, position, random.Next(0, ofValue ? valueDim : dim), ofValue, Values[i % 3]);
                using var tensors = new PoisonedTensors(device, 1024);
                (float[] Output, float[] Lse)[] actual = c.Run(tensors, packed, 0, 1);
                string what = $"seed {random.Seed}, {(ofValue ? "V" : "K")} of {position} is {Values[i % 3]}, {c.Description}";
                tensors.AttentionTolerance.Check(c.Expected(0).Output, actual[0].Output, what);
                Check(tensors.AttentionTolerance, c.Expected(1).Output, actual[1].Output, what);
            }
        }
    }

    [Theory]
    [InlineData(DType.BF16)]
    [InlineData(DType.F32)]
    [InlineData(DType.F8E4M3Fn)]
    public void A_latent_row_reaches_only_tokens_that_see_it(DType dtype)
    {
        using IDevice device = CreateDevice(2);
        Assert.SkipWhen(PoisonedTensors.CacheType(device, dtype) != dtype, $"The device keeps no cache of {dtype}.");
        var random = new TestRandom(503);
        int next = 0;
        foreach ((int heads, int context, int query) in new[] { (3, 43, 8), (16, 90, 4), (4, 380, 8) })
        {
            for (int n = 0; n < Cases(6); n++)
            {
                int i = next++ % 6;
                var c = new MlaCase(random, heads, 64, 16, dtype, 16, [new(20, 3), new(context, query)], device: device);
                int position = Partly(random, context, query, null);
                float with = Values[dtype.IsFloat8() ? 0 : i % 3];
                c.Replace(1, position, random.Next(0, 80), with);
                using var tensors = new PoisonedTensors(device, 1024);
                (float[] Output, float[] Lse)[] actual = c.Run(tensors, random.Pick(KvSplit.Fixed, KvSplit.Occupancy), (0, 0, 3), (1, 0, query));
                string what = $"seed {random.Seed}, row {position} has {with}, {c.Description}";
                tensors.AttentionTolerance.Check(c.Expected(0).Output, actual[0].Output, what);
                Check(tensors.AttentionTolerance, c.Expected(1).Output, actual[1].Output, what);
            }
        }
    }

    /// <summary>A position that some of the query tokens see and some do not: after the first query, or where the last one's window begins.</summary>
    private protected static int Partly(TestRandom random, int context, int query, int? window)
    {
        bool early = window is { } && random.Chance(0.5);
        if (!early) return context + random.Next(1, query);
        int first = Math.Max(0, context - window!.Value + 1), end = context + query - window.Value;
        return end <= first ? context + random.Next(1, query) : random.Next(first, end);
    }

    /// <summary>Elements that the oracle finds finite are right, and the others are the same infinity or NaN.</summary>
    private protected static void Check(Tolerance tolerance, double[] expected, float[] actual, string what)
    {
        int[] finite = [.. Enumerable.Range(0, expected.Length).Where(i => double.IsFinite(expected[i]))];
        Assert.True(finite.Length > 0, $"{what}: nothing is finite.");
        tolerance.Check([.. finite.Select(i => expected[i])], [.. finite.Select(i => actual[i])], what);
        for (int i = 0; i < expected.Length; i++)
        {
            if (!double.IsFinite(expected[i])) Assert.True(expected[i].Equals(actual[i]), $"{what}: element {i} is {actual[i]}, expected {expected[i]}.");
        }
    }
}
