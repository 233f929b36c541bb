using System.Collections.Immutable;
using Rocm.Inference.Native.Aiter;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Hip.Tests.Aiter;

/// <summary>AITER's persistent kernels, executed over plans of this library that cut contexts, against attention in double precision.</summary>
[Collection(AiterCheckout.Collection)]
public sealed class AiterPersistentTests(ITestOutputHelper log)
{
    private const int Dim = 128, KvHeads = 2;

    [Theory]
    [InlineData(256, false, 8, 1)]
    [InlineData(256, false, 8, 3)]
    [InlineData(256, false, 16, 4)]
    [InlineData(1024, false, 8, 1)]
    [InlineData(1024, false, 5, 2)]
    [InlineData(1024, true, 8, 1)]
    [InlineData(1024, true, 16, 2)]
    public void Paged_decode_of_fp8_errs_by_what_its_probabilities_are_rounded_to(int blockSize, bool scalesPerToken, int gqa, int length)
    {
        using AiterCheckout aiter = AiterCheckout.Open();
        int[] contexts = [7, 255, 256, 257, 1024, 1500, 2050];
        var random = new TestRandom(91);
        var cache = new ShuffledCache(random, AiterDType.Fp8, contexts, KvHeads, blockSize, scalesPerToken);
        int heads = gqa * KvHeads, tokens = contexts.Length * length;
        var shape = new AiterPagedShape
        {
            Query = AiterDType.Bf16, Cache = AiterDType.Fp8, Heads = heads, KvHeads = KvHeads, HeadDim = Dim, BlockSize = blockSize, MaxQueryLength = length, PoolBytes = cache.Keys.Length,
        };
        AiterPersistentPagedDecode? decode = AiterPersistentPagedDecode.TryCreate(aiter.Library, shape, scalesPerToken, out ImmutableArray<string> reasons);
        Assert.True(decode is not null, string.Join(' ', reasons));
        log.WriteLine($"{decode.Symbol}, seed {random.Seed}");
        var plan = new AiterWorkPlan(contexts.Length, workers: 10, KvHeads);
        plan.Plan(contexts, blockSize, granulePages: 1, length, gqa);
        ushort[] queries = [.. random.Floats((long)tokens * heads * Dim).Select(value => (ushort)OracleNumbers.Encode(DType.BF16, value))];
        nint output = aiter.Allocate(queries.Length * sizeof(ushort));
        int rows = plan.MaxPartialRows(length);
        nint partials = aiter.Allocate((long)rows * heads * Dim * sizeof(float)), lse = aiter.Allocate((long)rows * heads * sizeof(float));
        float scale = (float)(1 / Math.Sqrt(Dim));
        var arguments = new AiterPagedArguments
        {
            Output = output,
            Query = aiter.Upload<ushort>(queries),
            Keys = aiter.Upload<byte>(cache.Keys),
            Values = aiter.Upload<byte>(cache.Values),
            BlockTable = aiter.Upload<int>(cache.PackedTable),
            ContextLengths = aiter.Upload<int>(contexts),
            KeyScales = aiter.Upload<float>(cache.KeyScales),
            ValueScales = aiter.Upload<float>(cache.ValueScales),
            QueryOffsets = aiter.Upload<int>([.. Enumerable.Range(0, contexts.Length + 1).Select(i => i * length)]),
            Sequences = contexts.Length,
            BlockTableStride = 0,
            QueryRowBytes = heads * Dim * sizeof(ushort),
            BlockBytes = cache.BlockBytes,
            HeadBytes = cache.HeadBytes,
            Scale = scale,
        };
        var work = new AiterPersistentArguments
        {
            WorkOffsets = aiter.Upload<int>(plan.WorkOffsets), WorkItems = aiter.Upload<int>(plan.Items), Partials = partials, PartialLse = lse, Workers = plan.Workers,
        };
        decode.Launch(aiter.Stream, arguments, aiter.Upload<int>(cache.BlockOffsets), work);

        float[] found = [.. aiter.Download<ushort>(output, queries.Length).Select(bits => (float)OracleNumbers.Decode(DType.BF16, bits))];
        PartialReduce.Apply(plan, aiter.Download<float>(partials, rows * heads * Dim), aiter.Download<float>(lse, rows * heads), heads, Dim, found);
        var oracle = new OracleAttention { NumQoHeads = heads, NumKvHeads = KvHeads, HeadDim = Dim, VHeadDim = Dim, Scale = scale };
        int width = heads * Dim;
        double[] errors = [.. contexts.Select((context, s) => RelativeError.Of(
            Enumerable.Range(0, length).SelectMany(t => oracle.Attend(
                [.. queries.AsSpan(((s * length) + t) * width, width).ToArray().Select(bits => (float)OracleNumbers.Decode(DType.BF16, bits))],
                context - length + t, cache.ExactKeys[s], cache.ExactValues[s])),
            found.AsSpan(s * length * width, length * width).ToArray()))];
        log.WriteLine($"{plan.ReduceCount} contexts cut, errors {string.Join(' ', errors.Select(error => error.ToString("0.0000", null)))}");
        Assert.True(blockSize != 256 || plan.ReduceCount > 0);
        Assert.All(errors, error => Assert.InRange(error, 0, 0.035));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(4)]
    public void Mla_decode_agrees_with_the_oracle_whole_and_cut(int length)
    {
        using AiterCheckout aiter = AiterCheckout.Open();
        const int heads = 16, width = heads * LatentCache.RowDim, values = heads * LatentCache.ValueDim;
        int[] contexts = [16, 63, 64, 65, 100, 700];
        var random = new TestRandom(92);
        var cache = new LatentCache(random, AiterDType.Bf16, contexts, 1);
        int tokens = contexts.Length * length;
        var shape = new AiterMlaShape { Query = AiterDType.Bf16, Cache = AiterDType.Bf16, Heads = heads, QueryLength = length, PoolBytes = cache.Bytes.Length };
        AiterPersistentMlaDecode? decode = AiterPersistentMlaDecode.TryCreate(aiter.Library, shape, out ImmutableArray<string> reasons);
        Assert.True(decode is not null, string.Join(' ', reasons));
        log.WriteLine($"{decode.Symbol}, seed {random.Seed}");
        var plan = new AiterWorkPlan(contexts.Length, workers: 5, kvHeads: 1);
        plan.Plan(contexts, pageTokens: 1, granulePages: 64, length, heads);
        byte[] queries = new byte[tokens * width * 2];
        float[] exactQueries = [.. random.Floats((long)tokens * width).Select((value, i) => (float)LatentCache.Encode(AiterDType.Bf16, 1, value, queries.AsSpan(i * 2)))];
        int rows = plan.MaxPartialRows(length);
        nint output = aiter.Allocate((long)tokens * values * sizeof(ushort));
        nint partials = aiter.Allocate((long)rows * values * sizeof(float)), lse = aiter.Allocate((long)rows * heads * sizeof(float));
        nint offsets = aiter.Upload<int>(plan.WorkOffsets), items = aiter.Upload<int>(plan.Items);
        decode.Launch(
            aiter.Stream,
            new AiterMlaArguments
            {
                Partials = partials,
                PartialLse = lse,
                Query = aiter.Upload<byte>(queries),
                Cache = aiter.Upload<byte>(cache.Bytes),
                KvOffsets = aiter.Upload<int>(cache.Offsets),
                KvIndices = aiter.Upload<int>(cache.Indices),
                LastPageLengths = aiter.Upload<int>([.. contexts.Select(_ => 1)]),
                QueryOffsets = aiter.Upload<int>([.. Enumerable.Range(0, contexts.Length + 1).Select(i => i * length)]),
                SplitOffsets = aiter.Upload<long>([offsets, items]),
                Output = output,
                Sequences = contexts.Length,
                Splits = 1,
                CacheRowBytes = cache.RowBytes,
                Scale = 0.0721687824f,
            },
            plan.Workers);

        float[] found = [.. aiter.Download<ushort>(output, tokens * values).Select(bits => (float)OracleNumbers.Decode(DType.BF16, bits))];
        PartialReduce.Apply(plan, aiter.Download<float>(partials, rows * values), aiter.Download<float>(lse, rows * heads), heads, LatentCache.ValueDim, found);
        var oracle = new OracleAttention { NumQoHeads = heads, NumKvHeads = 1, HeadDim = LatentCache.RowDim, VHeadDim = LatentCache.ValueDim, Scale = 0.0721687824f };
        double[] errors = [.. Enumerable.Range(0, tokens).Select(token => RelativeError.Of(
            oracle.Attend(exactQueries.AsSpan(token * width, width), contexts[token / length] - length + (token % length), cache.Keys[token / length], cache.Values[token / length]),
            found.AsSpan(token * values, values).ToArray()))];
        log.WriteLine($"{plan.ReduceCount} contexts cut, errors {string.Join(' ', errors.Select(error => error.ToString("0.0000", null)))}");
        Assert.True(plan.ReduceCount > 0);
        Assert.All(errors, error => Assert.InRange(error, 0, 0.003));
    }

    [Theory]
    [InlineData(16)]
    [InlineData(128)]
    public void Mla_prefill_masks_and_agrees_with_the_oracle(int heads)
    {
        using AiterCheckout aiter = AiterCheckout.Open();
        int width = heads * LatentCache.RowDim, values = heads * LatentCache.ValueDim;
        (int Queries, int Context)[] sequences = [(5, 5), (9, 70), (1, 33), (12, 128)];
        int[] contexts = [.. sequences.Select(s => s.Context)], queryOffsets = [0, .. sequences.Select((_, s) => sequences[..(s + 1)].Sum(q => q.Queries))];
        var random = new TestRandom(93);
        var cache = new LatentCache(random, AiterDType.Bf16, contexts, 1);
        int tokens = queryOffsets[^1];
        var shape = new AiterMlaShape { Query = AiterDType.Bf16, Cache = AiterDType.Bf16, Heads = heads, QueryLength = 12, PoolBytes = cache.Bytes.Length };
        AiterMlaPrefill? prefill = AiterMlaPrefill.TryCreate(aiter.Library, shape, out ImmutableArray<string> reasons);
        Assert.True(prefill is not null, string.Join(' ', reasons));
        log.WriteLine($"{prefill.Symbol}, seed {random.Seed}");
        byte[] queries = new byte[tokens * width * 2];
        float[] exactQueries = [.. random.Floats((long)tokens * width).Select((value, i) => (float)LatentCache.Encode(AiterDType.Bf16, 1, value, queries.AsSpan(i * 2)))];
        nint output = aiter.Allocate((long)tokens * values * sizeof(ushort));
        prefill.Launch(
            aiter.Stream,
            new AiterMlaArguments
            {
                Partials = output,
                PartialLse = aiter.Allocate((long)tokens * heads * sizeof(float)),
                Query = aiter.Upload<byte>(queries),
                Cache = aiter.Upload<byte>(cache.Bytes),
                KvOffsets = aiter.Upload<int>(cache.Offsets),
                KvIndices = aiter.Upload<int>(cache.Indices),
                LastPageLengths = aiter.Upload<int>([.. contexts.Select(_ => 1)]),
                QueryOffsets = aiter.Upload<int>(queryOffsets),
                SplitOffsets = aiter.Upload<int>([.. Enumerable.Range(0, contexts.Length + 1)]),
                Sequences = contexts.Length,
                Splits = 1,
                CacheRowBytes = cache.RowBytes,
                Scale = 0.0721687824f,
            },
            maxQueryLength: 12);
        float[] found = [.. aiter.Download<ushort>(output, tokens * values).Select(bits => (float)OracleNumbers.Decode(DType.BF16, bits))];
        var oracle = new OracleAttention { NumQoHeads = heads, NumKvHeads = 1, HeadDim = LatentCache.RowDim, VHeadDim = LatentCache.ValueDim, Scale = 0.0721687824f };
        double worst = 0;
        for (int s = 0; s < sequences.Length; s++)
        {
            for (int t = 0; t < sequences[s].Queries; t++)
            {
                int token = queryOffsets[s] + t;
                double[] expected = oracle.Attend(
                    exactQueries.AsSpan(token * width, width), contexts[s] - sequences[s].Queries + t, cache.Keys[s], cache.Values[s]);
                double error = RelativeError.Of(expected, found.AsSpan(token * values, values).ToArray());
                worst = double.IsNaN(error) ? double.PositiveInfinity : Math.Max(worst, error);
            }
        }

        log.WriteLine($"largest error {worst:0.00000}");
        Assert.InRange(worst, 0, 0.003);
    }
}
