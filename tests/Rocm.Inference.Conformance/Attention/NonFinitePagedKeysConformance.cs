using Rocm.Inference.Devices;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Conformance.Attention;

/// <summary>The same of a paged cache of every layout.</summary>
public abstract class NonFinitePagedKeysConformance : NonFiniteKeysConformance
{
    /// <summary>A cache type and head dim that the device has a kernel for, or null to leave the case out.</summary>
    private protected virtual (DType DType, int Dim)? Fit(KvLayoutKind layout, DType dtype, int dim) => (dtype, dim);

    [Theory]
    [InlineData(false, null)]
    [InlineData(false, 7)]
    [InlineData(true, null)]
    [InlineData(true, 7)]
    public void A_paged_cache_reaches_only_tokens_that_see_the_key(bool decode, int? window)
    {
        using IDevice device = CreateDevice(2);
        var random = new TestRandom(501);
        int next = 0;
        foreach (KvLayoutKind layout in new[] { KvLayoutKind.Nhd, KvLayoutKind.VectorizedX, KvLayoutKind.Shuffled })
        {
            foreach ((DType any, int context, int query, int anyDim, bool alibi) in new[]
            {
                (DType.BF16, 43, 9, 32, false), (DType.BF16, 3, 60, 32, true), (DType.F16, 90, 2, 48, false), (DType.F32, 250, 12, 32, false), (DType.F8E4M3Fn, 380, 7, 80, true),
            })
            {
                if (Fit(layout, any, anyDim) is not (DType dtype, int dim)) continue;
                var spec = new AttentionSpec
                {
                    NumQoHeads = 4, NumKvHeads = 2, HeadDim = dim, VHeadDim = dim, SoftmaxScale = 0.2f, MaxSeqLen = 4096, SlidingWindow = window, KvDType = dtype, HasAlibi = alibi,
                    DType = device.ActivationDType,
                };
                for (int n = 0; n < Cases(6); n++)
                {
                    int i = next++ % 6;
                    var c = new AttentionCase(random, spec, 16, [new(20, 3), new(context, query)], layout);
                    int position = Partly(random, context, query, window);
                    bool ofValue = i % 2 == 0;
                    float with = Values[dtype.IsFloat8() ? 0 : i % 3];
                    c.Replace(1, position, random.Next(0, dim), ofValue, with);
                    using var tensors = new PoisonedTensors(device, 1024);
                    float[][] actual = c.Run(tensors, new AttentionCall(decode, random.Pick(KvSplit.Fixed, KvSplit.Occupancy)), [(0, 0, 3), (1, 0, query)]);
                    string what = $"seed {random.Seed}, {(ofValue ? "V" : "K")} of {position} is {with}, {c.Description}";
                    tensors.AttentionTolerance.Check(c.Expected(0), actual[0], what);
                    Check(tensors.AttentionTolerance, c.Expected(1), actual[1], what);
                }
            }
        }
    }
}
