using Rocm.Inference.Devices;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Hip.Tests.Aiter;

/// <summary>
/// Absorbed queries over random latent rows in shuffled blocks, and what attention must give. Slots that no token has are NaN, but for slot 0, which belongs to
/// the null block; table entries past the end point nowhere.
/// </summary>
internal sealed class LatentDecodeCase
{
    private const int Padding = 2;
    private readonly double[][] _keys;
    private readonly float[] _queries;
    private readonly byte[] _cache;
    private readonly float? _scale;
    private readonly int[] _table;
    private readonly int _numBlocks;
    private readonly int _width;

    /// <param name="device">Whose activations the queries are.</param>
    /// <param name="random">Draws queries and cache.</param>
    /// <param name="heads">Query heads.</param>
    /// <param name="rows">Tokens of context and of the query.</param>
    /// <param name="blockSize">Tokens of a block.</param>
    /// <param name="cacheType">Elements of the cache.</param>
    /// <param name="scale">Scale of an fp8 cache; null: none.</param>
    internal LatentDecodeCase(
        IDevice device, TestRandom random, int heads, (int Context, int Query)[] rows, int blockSize = 16, DType cacheType = DType.BF16, float? scale = null)
    {
        (Rows, BlockSize, _scale) = (rows, blockSize, scale);
        int bytes = cacheType.ByteSize();
        Spec = new AttentionSpec
        {
            Kind = AttentionKind.Mla, NumQoHeads = heads, NumKvHeads = 1, HeadDim = 192, VHeadDim = 128, SoftmaxScale = 0.0721687824f, DType = DType.BF16,
            KvDType = cacheType, HasKvScales = scale is not null, KvLoraRank = 512, QkNopeHeadDim = 128, QkRopeHeadDim = 64, MaxSeqLen = 1024,
        };
        _width = rows.Max(Blocks) + 1;
        _numBlocks = rows.Sum(Blocks) + 2;
        int[] free = [.. Enumerable.Range(1, _numBlocks - 1).OrderBy(_ => random.Next(0, int.MaxValue))];
        _table = new int[rows.Length * _width];
        Array.Fill(_table, int.MinValue);
        _cache = new byte[_numBlocks * blockSize * LatentCache.RowDim * bytes];
        Array.Fill(_cache, cacheType == DType.F8E4M3Fnuz ? (byte)0x80 : byte.MaxValue);
        _cache.AsSpan(0, LatentCache.RowDim * bytes).Clear();
        _keys = [.. rows.Select(row => new double[row.Context * LatentCache.RowDim])];
        for (int r = 0, next = 0; r < rows.Length; r++)
        {
            for (int b = 0; b < Blocks(rows[r]); b++) _table[(r * _width) + b] = free[next++];
            float[] values = random.Floats(_keys[r].Length);
            for (int i = 0; i < values.Length; i++)
            {
                int position = i / LatentCache.RowDim;
                uint bits = OracleNumbers.Encode(cacheType, values[i] / (scale ?? 1));
                _keys[r][i] = OracleNumbers.Decode(cacheType, bits) * (scale ?? 1);
                int slot = (_table[(r * _width) + (position / blockSize)] * blockSize) + (position % blockSize);
                int at = ((slot * LatentCache.RowDim) + (i % LatentCache.RowDim)) * bytes;
                for (int b = 0; b < bytes; b++) _cache[at + b] = (byte)(bits >> (8 * b));
            }
        }

        _queries = PoisonedTensors.Round(device, random.Floats((long)rows.Sum(row => row.Query) * heads * LatentCache.RowDim));

        int Blocks((int Context, int Query) row) => (row.Context + blockSize - 1) / blockSize;
    }

    internal AttentionSpec Spec { get; }

    internal (int Context, int Query)[] Rows { get; }

    internal int BlockSize { get; }

    /// <summary>The operands; tokens of padding follow those of the rows.</summary>
    internal MlaDecodeArgs Args(PoisonedTensors tensors, int maxSeqLen, bool padded, bool lse)
    {
        int heads = Spec.NumQoHeads, tokens = Rows.Sum(row => row.Query), all = tokens + (padded ? Padding : 0);
        float[] queries = [.. _queries, .. Enumerable.Repeat(float.NaN, (all - tokens) * heads * LatentCache.RowDim)];
        TensorView query = tensors.Activations(queries, all, heads, LatentCache.RowDim);
        TensorView cache = tensors.Poison(Spec.KvDType, _numBlocks, BlockSize, LatentCache.RowDim);
        tensors.Context.Upload<byte>(_cache, new TensorView(cache.Buffer, cache.ByteOffset, DType.U8, _cache.Length));
        return new MlaDecodeArgs
        {
            Spec = Spec,
            Query = query.Slice(2, 0, LatentCache.ValueDim),
            QueryRope = query.Slice(2, LatentCache.ValueDim, LatentCache.RowDim - LatentCache.ValueDim),
            Cache = new KvCacheView { Layout = KvLayoutKind.MlaLatent, BlockSize = BlockSize, Key = cache, KeyScales = _scale is { } scale ? tensors.F32([scale], 1) : default },
            CuSeqlensQ = tensors.I32([0, .. Rows.Select((_, r) => Rows[..(r + 1)].Sum(row => row.Query))], Rows.Length + 1),
            SeqLens = tensors.I32([.. Rows.Select(row => row.Context)], Rows.Length),
            BlockTable = tensors.I32(_table, Rows.Length, _width),
            NumRows = Rows.Length,
            MaxQueryLen = Rows.Max(row => row.Query),
            MaxSeqLen = maxSeqLen,
            Split = KvSplit.Occupancy,
            Output = tensors.PoisonActivations(all, heads, LatentCache.ValueDim),
            Lse = lse ? tensors.Poison(DType.F32, heads, all) : default,
        };
    }

    /// <summary>From now on results are held to queries that are rounded to fp8, with one scale for all.</summary>
    internal void RoundQueries()
    {
        float scale = _queries.Max(Math.Abs) / (Spec.KvDType == DType.F8E4M3Fnuz ? 240 : 448);
        for (int i = 0; i < _queries.Length; i++)
            _queries[i] = (float)OracleNumbers.Decode(Spec.KvDType, OracleNumbers.Encode(Spec.KvDType, _queries[i] / scale)) * scale;
    }

    /// <summary>Holds results to the oracle; returns the largest error of a token.</summary>
    internal double Check(PoisonedTensors tensors, in MlaDecodeArgs args, double limit, double lseLimit)
    {
        int heads = Spec.NumQoHeads, width = heads * LatentCache.ValueDim, tokens = Rows.Sum(row => row.Query), all = (int)args.Output.Dim(0);
        float[] output = tensors.Read(args.Output);
        float[]? lse = args.Lse.IsAbsent ? null : tensors.Read(args.Lse);
        Assert.False(output.AsSpan(tokens * width).ContainsAnyExcept(float.NaN), "Tokens of padding were written.");
        var oracle = new OracleAttention { NumQoHeads = heads, NumKvHeads = 1, HeadDim = LatentCache.RowDim, VHeadDim = LatentCache.ValueDim, Scale = Spec.SoftmaxScale };
        double worst = 0;
        for (int r = 0, token = 0; r < Rows.Length; r++)
        {
            (int context, int query) = Rows[r];
            double[] values = [.. Enumerable.Range(0, context).SelectMany(j => _keys[r].AsSpan(j * LatentCache.RowDim, LatentCache.ValueDim).ToArray())];
            for (int i = 0; i < query; i++, token++)
            {
                (double[] expected, double[] logs) = oracle.Attend(
                    _queries.AsSpan(token * heads * LatentCache.RowDim, heads * LatentCache.RowDim), context - query + i, _keys[r], values, 0, context, causal: true);
                double error = RelativeError.Of(expected, output[(token * width)..((token + 1) * width)]);
                Assert.True(error <= limit, $"row {r} of {context} tokens, token {i} of {query}: error {error}");
                worst = Math.Max(worst, error);
                for (int h = 0; lse is not null && h < heads; h++)
                    Assert.True(Math.Abs(logs[h] - lse[(h * all) + token]) <= lseLimit, $"row {r}, token {i}, head {h}: LSE {lse[(h * all) + token]}, expected {logs[h]}");
            }
        }

        return worst;
    }
}
