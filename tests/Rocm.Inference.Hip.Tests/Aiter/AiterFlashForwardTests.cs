using System.Collections.Immutable;
using Rocm.Inference.Native.Aiter;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Hip.Tests.Aiter;

/// <summary>AITER's forward attention kernels, executed, against attention in double precision.</summary>
[Collection(AiterCheckout.Collection)]
public sealed class AiterFlashForwardTests(ITestOutputHelper log)
{
    private const int ValueDim = 128;

    // Query and key tokens of each sequence: as long, longer context, shorter context (rows without a key), one token, tile - 1, tile, tile + 1.
    private static readonly (int Queries, int Keys)[] _sequences = [(70, 70), (33, 134), (40, 25), (1, 91), (255, 255), (256, 300), (257, 257)];

    [Theory]
    [InlineData(128, false, 8, 2)]
    [InlineData(128, true, 8, 2)]
    [InlineData(128, true, 3, 1)]
    [InlineData(192, false, 4, 4)]
    [InlineData(192, true, 4, 4)]
    public void Sequences_of_different_lengths_agree_with_the_oracle(int queryDim, bool causal, int heads, int kvHeads)
    {
        using AiterCheckout aiter = AiterCheckout.Open();
        foreach (int rounding in queryDim == 128 && heads == 8 ? (int[])[0, 1, 2] : [0]) Run(aiter, queryDim, causal, heads, kvHeads, rounding, _sequences, batch: false);
    }

    [Theory]
    [InlineData(128, false)]
    [InlineData(128, true)]
    [InlineData(192, false)]
    [InlineData(192, true)]
    public void A_batch_agrees_with_the_oracle(int queryDim, bool causal)
    {
        using AiterCheckout aiter = AiterCheckout.Open();
        Run(aiter, queryDim, causal, 4, 2, 0, [(200, 300), (200, 300)], batch: true);
        Run(aiter, queryDim, causal, 4, 2, 0, [(130, 130), (130, 130), (130, 130)], batch: true);
    }

    // fp8 probabilities: 2⁻⁴ of each at most.
    [Theory]
    [InlineData(false, 8, 2)]
    [InlineData(true, 8, 2)]
    [InlineData(true, 3, 3)]
    public void Fp8_sequences_of_different_lengths_agree_with_the_oracle(bool causal, int heads, int kvHeads)
    {
        using AiterCheckout aiter = AiterCheckout.Open();
        Run(aiter, 128, causal, heads, kvHeads, 0, _sequences, batch: false, AiterDType.Fp8);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_batch_in_fp8_agrees_with_the_oracle(bool causal)
    {
        using AiterCheckout aiter = AiterCheckout.Open();
        Run(aiter, 128, causal, 4, 2, 0, [(200, 300), (200, 300)], batch: true, AiterDType.Fp8);
        Run(aiter, 128, causal, 2, 2, 0, [(600, 700), (600, 700)], batch: true, AiterDType.Fp8);
    }

    private void Run(
        AiterCheckout aiter, int queryDim, bool causal, int heads, int kvHeads, int rounding, (int Queries, int Keys)[] sequences, bool batch, AiterDType input = AiterDType.Bf16)
    {
        var random = new TestRandom(81);
        bool quantized = input == AiterDType.Fp8;
        var shape = new AiterFlashShape
        {
            Input = input, QueryDim = queryDim, ValueDim = ValueDim, Heads = heads, KvHeads = kvHeads, Causal = causal, Varlen = !batch, Rounding = rounding,
        };
        AiterFlashForward? flash = AiterFlashForward.TryCreate(aiter.Library, shape, out ImmutableArray<string> reasons);
        Assert.True(flash is not null, string.Join(' ', reasons));
        log.WriteLine($"{flash.Symbol}, seed {random.Seed}");
        int queryTokens = sequences.Sum(s => s.Queries), keyTokens = sequences.Sum(s => s.Keys);
        int[] queryOffsets = [0, .. sequences.Select((_, i) => sequences[..(i + 1)].Sum(s => s.Queries))];
        int[] keyOffsets = [0, .. sequences.Select((_, i) => sequences[..(i + 1)].Sum(s => s.Keys))];
        float[] scales = quantized ? [0.015f, 0.02f, 0.01f] : [1, 1, 1];
        (byte[] query, float[] q) = Tensor(random, queryTokens * heads * queryDim, input, scales[0]);
        (byte[] key, float[] k) = Tensor(random, keyTokens * kvHeads * queryDim, input, scales[1]);
        (byte[] value, float[] v) = Tensor(random, keyTokens * kvHeads * ValueDim, input, scales[2]);
        float scale = (float)(1 / Math.Sqrt(queryDim));
        int elementBytes = quantized ? 1 : sizeof(ushort);
        // Where the kernel wants the scales of queries and keys as part of the scores' factor, ones stand in their places.
        float[] given = flash.WantsScalesInFactor ? [1, 1, scales[2]] : scales;
        nint output = aiter.Allocate((long)queryTokens * heads * ValueDim * sizeof(ushort)), lse = aiter.Allocate((long)queryTokens * heads * sizeof(float));
        flash.Launch(aiter.Stream, new AiterFlashArguments
        {
            Output = output,
            Query = aiter.Upload<byte>(query),
            Key = aiter.Upload<byte>(key),
            Value = aiter.Upload<byte>(value),
            Lse = lse,
            QueryOffsets = batch ? 0 : aiter.Upload<int>(queryOffsets),
            KeyOffsets = batch ? 0 : aiter.Upload<int>(keyOffsets),
            Sequences = sequences.Length,
            MaxQueryLength = sequences.Max(s => s.Queries),
            KeyTokens = batch ? sequences[0].Keys : keyTokens,
            QueryTokens = batch ? sequences[0].Queries : queryTokens,
            QueryStrides = Strides(heads * queryDim, queryDim, sequences[0].Queries, elementBytes),
            KeyStrides = Strides(kvHeads * queryDim, queryDim, sequences[0].Keys, elementBytes),
            ValueStrides = Strides(kvHeads * ValueDim, ValueDim, sequences[0].Keys, elementBytes),
            OutputStrides = Strides(heads * ValueDim, ValueDim, sequences[0].Queries, sizeof(ushort)),
            Scale = flash.WantsScalesInFactor ? scale * scales[0] * scales[1] : scale,
            QueryScale = quantized ? aiter.Upload<float>(given.AsSpan(0, 1)) : 0,
            KeyScale = quantized ? aiter.Upload<float>(given.AsSpan(1, 1)) : 0,
            ValueScale = quantized ? aiter.Upload<float>(given.AsSpan(2, 1)) : 0,
        });

        ushort[] result = aiter.Download<ushort>(output, queryTokens * heads * ValueDim);
        float[] logs = aiter.Download<float>(lse, queryTokens * heads);
        var oracle = new OracleAttention { NumQoHeads = heads, NumKvHeads = kvHeads, HeadDim = queryDim, VHeadDim = ValueDim, Scale = scale };
        double worst = 0, worstLse = 0;
        for (int s = 0; s < sequences.Length; s++)
        {
            (int queries, int keys) = sequences[s];
            double[] sequenceKeys = Widen(k, keyOffsets[s] * kvHeads * queryDim, keys * kvHeads * queryDim);
            double[] sequenceValues = Widen(v, keyOffsets[s] * kvHeads * ValueDim, keys * kvHeads * ValueDim);
            var expected = new List<double>();
            for (int t = 0; t < queries; t++)
            {
                (double[] row, double[] rowLse) = oracle.Attend(
                    q.AsSpan((queryOffsets[s] + t) * heads * queryDim, heads * queryDim), keys - queries + t, sequenceKeys, sequenceValues, 0, keys, causal);
                expected.AddRange(row);
                for (int h = 0; h < heads; h++)
                {
                    float found = batch ? logs[(((s * heads) + h) * queries) + t] : logs[(h * queryTokens) + queryOffsets[s] + t];
                    if (double.IsFinite(rowLse[h])) worstLse = Math.Max(worstLse, double.IsNaN(found) ? double.PositiveInfinity : Math.Abs(found - rowLse[h]));
                    else Assert.True(float.IsNegativeInfinity(found), $"sequence {s}, row {t} without a key has LSE {found}");
                }
            }

            double error = RelativeError.Of(expected, result.AsSpan(queryOffsets[s] * heads * ValueDim, queries * heads * ValueDim).ToArray()
                .Select(bits => (float)OracleNumbers.Decode(DType.BF16, bits)));
            worst = double.IsNaN(error) ? double.PositiveInfinity : Math.Max(worst, error);
        }

        log.WriteLine($"largest error {worst:0.00000}, of the LSE {worstLse:0.0e+0}");
        Assert.InRange(worst, 0, quantized ? 0.03 : rounding == 2 ? 0.006 : 0.003);
        Assert.InRange(worstLse, 0, 2e-5);

        AiterFlashStrides Strides(int row, int head, int rows, int bytes) => new(row * bytes, head * bytes, batch ? rows * row * bytes : 0);
    }

    private static (byte[] Bytes, float[] Values) Tensor(TestRandom random, int count, AiterDType type, float scale)
    {
        int width = type == AiterDType.Fp8 ? 1 : sizeof(ushort);
        byte[] bytes = new byte[count * width];
        return (bytes, [.. random.Floats(count).Select((value, i) => (float)LatentCache.Encode(type, scale, value, bytes.AsSpan(i * width)))]);
    }

    private static double[] Widen(float[] values, int start, int count) => [.. values.AsSpan(start, count).ToArray().Select(value => (double)value)];
}
