using System.Collections.Immutable;
using Rocm.Inference.Native.Aiter;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Hip.Tests.Aiter;

/// <summary>AITER's MLA decode kernels, executed, their partials reduced here in double precision, against attention in double precision.</summary>
[Collection(AiterCheckout.Collection)]
public sealed class AiterMlaDecodeTests(ITestOutputHelper log)
{
    private const float SoftmaxScale = 0.0721687824f;
    private static readonly int[] _contexts = [16, 17, 33, 63, 64, 65, 100, 300];

    [Theory]
    [InlineData(16, 1, 1)]
    [InlineData(16, 1, 4)]
    [InlineData(16, 1, 16)]
    [InlineData(8, 1, 1)]
    [InlineData(8, 1, 3)]
    [InlineData(16, 2, 1)]
    [InlineData(16, 4, 3)]
    [InlineData(16, 8, 2)]
    [InlineData(16, 4, 16)]
    [InlineData(16, 8, 7)]
    [InlineData(32, 1, 1)]
    [InlineData(32, 1, 3)]
    [InlineData(64, 1, 2)]
    [InlineData(128, 1, 1)]
    [InlineData(128, 1, 3)]
    public void Split_decode_and_its_reduce_agree_with_the_oracle(int heads, int length, int splits)
    {
        using AiterCheckout aiter = AiterCheckout.Open();
        Run(aiter, AiterDType.Bf16, heads, length, splits, 0.003, 2e-5);
    }

    // Probabilities are rounded to fp8: by 2⁻⁴ of each at most, by a third of that on average, and errors of many keys cancel.
    [Theory]
    [InlineData(16, 1, 1)]
    [InlineData(16, 1, 3)]
    [InlineData(16, 2, 1)]
    [InlineData(16, 2, 2)]
    [InlineData(16, 3, 2)]
    [InlineData(16, 4, 1)]
    [InlineData(16, 4, 7)]
    [InlineData(128, 1, 1)]
    [InlineData(128, 1, 3)]
    public void Split_decode_of_fp8_errs_by_what_its_probabilities_are_rounded_to(int heads, int length, int splits)
    {
        using AiterCheckout aiter = AiterCheckout.Open(inStep: true);
        Run(aiter, AiterDType.Fp8, heads, length, splits, 0.02, 2e-5);
    }

    private void Run(AiterCheckout aiter, AiterDType type, int heads, int length, int splits, double limit, double lseLimit)
    {
        var random = new TestRandom(71);
        var cache = new LatentCache(random, type, _contexts, type == AiterDType.Fp8 ? 0.02f : 1);
        var shape = new AiterMlaShape { Query = type, Cache = type, Heads = heads, QueryLength = length, PoolBytes = cache.Bytes.Length };
        AiterMlaDecode? decode = AiterMlaDecode.TryCreate(aiter.Library, shape, out ImmutableArray<string> reasons);
        Assert.True(decode is not null, string.Join(' ', reasons));
        log.WriteLine($"{decode.Symbol}, seed {random.Seed}");

        int sequences = _contexts.Length, tokens = sequences * length, width = heads * LatentCache.RowDim;
        float queryScale = type == AiterDType.Fp8 ? 0.015f : 1;
        byte[] queries = new byte[tokens * width * cache.Width];
        float[] exactQueries = [.. random.Floats((long)tokens * width).Select((value, i) =>
            (float)LatentCache.Encode(type, queryScale, value, queries.AsSpan(i * cache.Width)))];
        AiterMlaPartials layout = decode.PartialsOf(sequences, splits);
        nint partials = aiter.Allocate(layout.OutputBytes), lse = aiter.Allocate(layout.LseBytes);
        decode.Launch(aiter.Stream, new AiterMlaArguments
        {
            Partials = partials,
            PartialLse = lse,
            Query = aiter.Upload<byte>(queries),
            Cache = aiter.Upload<byte>(cache.Bytes),
            KvOffsets = aiter.Upload<int>(cache.Offsets),
            KvIndices = aiter.Upload<int>(cache.Indices),
            LastPageLengths = aiter.Upload<int>([.. _contexts.Select(_ => 1)]),
            QueryOffsets = aiter.Upload<int>([.. Enumerable.Range(0, sequences + 1).Select(i => i * length)]),
            SplitOffsets = aiter.Upload<int>([.. Enumerable.Range(0, sequences + 1).Select(i => i * splits)]),
            QueryScale = aiter.Upload<float>([queryScale]),
            CacheScale = aiter.Upload<float>([cache.Scale]),
            Sequences = sequences,
            Splits = splits,
            CacheRowBytes = cache.RowBytes,
            Scale = SoftmaxScale,
        });

        float[] partialLse = aiter.Download<float>(lse, (int)(layout.LseBytes / sizeof(float)));
        bool direct = decode.WritesResult(splits);
        float[] values = direct
            ? [.. aiter.Download<ushort>(partials, tokens * heads * LatentCache.ValueDim).Select(bits => (float)OracleNumbers.Decode(DType.BF16, bits))]
            : aiter.Download<float>(partials, (int)(layout.OutputBytes / sizeof(float)));
        var oracle = new OracleAttention { NumQoHeads = heads, NumKvHeads = 1, HeadDim = LatentCache.RowDim, VHeadDim = LatentCache.ValueDim, Scale = SoftmaxScale };
        double worst = 0, worstLse = 0;
        for (int token = 0; token < tokens; token++)
        {
            int s = token / length, context = _contexts[s], position = context - length + (token % length);
            (double[] output, double[] logs) = oracle.Attend(
                exactQueries.AsSpan(token * width, width), position, cache.Keys[s], cache.Values[s], 0, context, causal: true);
            (float[] found, double[] foundLogs) = direct
                ? (values[(token * heads * LatentCache.ValueDim)..((token + 1) * heads * LatentCache.ValueDim)], logs)
                : Reduce(layout, values, partialLse, token, layout.ValidSplits(position + 1));
            worst = Math.Max(worst, RelativeError.Of(output, found));
            worstLse = Math.Max(worstLse, logs.Zip(foundLogs, (a, b) => Math.Abs(a - b)).Max());
            Assert.False(double.IsNaN(RelativeError.Of(output, found)), $"token {token}");
        }

        log.WriteLine($"largest error {worst:0.00000}, of the LSE {worstLse:0.0e+0}");
        Assert.InRange(worst, 0, limit);
        Assert.InRange(worstLse, 0, lseLimit);
    }

    private static (float[] Output, double[] Lse) Reduce(AiterMlaPartials layout, float[] partials, float[] lse, int token, int splits)
    {
        var output = new float[layout.Heads * LatentCache.ValueDim];
        var logs = new double[layout.Heads];
        for (int h = 0; h < layout.Heads; h++)
        {
            double[] parts = [.. Enumerable.Range(0, splits).Select(split => (double)lse[layout.Row(token, split, h)])];
            double max = parts.Max(), sum = parts.Sum(part => Math.Exp(part - max));
            logs[h] = max + Math.Log(sum);
            for (int d = 0; d < LatentCache.ValueDim; d++)
            {
                double value = 0;
                for (int split = 0; split < splits; split++)
                    value += Math.Exp(parts[split] - max) / sum * partials[(layout.Row(token, split, h) * LatentCache.ValueDim) + d];
                output[(h * LatentCache.ValueDim) + d] = (float)value;
            }
        }

        return (output, logs);
    }
}
