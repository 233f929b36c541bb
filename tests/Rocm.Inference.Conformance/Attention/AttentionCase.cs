using Rocm.Inference.Devices;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Conformance.Attention;

/// <summary>One request of a case: tokens in the cache before the step, and query tokens of the step.</summary>
internal sealed record AttentionRowCase(int PrefixLen, int QueryLen)
{
    public int SeqLen => PrefixLen + QueryLen;
}

/// <summary>Which primitive reads the cache, and how.</summary>
internal readonly record struct AttentionCall(bool IsPagedDecode = false, KvSplit Split = KvSplit.Fixed, AttentionRows Rows = AttentionRows.All);

/// <summary>
/// A random paged cache and queries, and what attention must give. Blocks are shuffled; slots that no sequence uses, blocks that the window has
/// passed and table entries past the end hold NaN or point nowhere.
/// </summary>
internal sealed class AttentionCase
{
    private readonly double[][] _keys;
    private readonly double[][] _values;
    private readonly float[][] _queries;
    private (PoisonedTensors? Tensors, KvCacheView Cache) _uploaded;

    public AttentionCase(TestRandom random, AttentionSpec spec, int blockSize, IReadOnlyList<AttentionRowCase> rows, KvLayoutKind layout = KvLayoutKind.Nhd)
    {
        Spec = spec;
        BlockSize = blockSize;
        Rows = rows;
        Sinks = spec.HasSinks ? random.Floats(spec.NumQoHeads, 2) : null;
        Slopes = spec.HasAlibi ? [.. Enumerable.Range(0, spec.NumQoHeads).Select(h => (float)Math.Pow(2, -8.0 * (h + 1) / spec.NumQoHeads))] : null;
        MaxBlocks = rows.Count == 0 ? 1 : Math.Max(1, rows.Max(r => (r.SeqLen + blockSize - 1) / blockSize)) + 1;

        int used = rows.Sum(r => (r.SeqLen + blockSize - 1) / blockSize);
        NumBlocks = used + 3;
        int[] free = [.. Enumerable.Range(1, NumBlocks - 1).OrderBy(_ => random.Next(0, int.MaxValue))];
        BlockTable = new int[rows.Count * MaxBlocks];
        Array.Fill(BlockTable, int.MinValue);
        Layout = new OracleCacheLayout(layout, spec.KvDType, NumBlocks, blockSize, spec.NumKvHeads, spec.HeadDim, spec.VHeadDim);
        Key = Layout.Poisoned(Layout.KeyShape);
        Value = Layout.Poisoned(Layout.ValueShape);
        if (spec.KvDType.IsFloat8())
        {
            KeyScales = random.Chance(0.3) ? null : [.. Enumerable.Range(0, random.Pick(1, spec.NumKvHeads)).Select(_ => (float)random.Next(1, 30) / 9)];
            ValueScales = random.Chance(0.3) ? null : [.. Enumerable.Range(0, random.Pick(1, spec.NumKvHeads)).Select(_ => (float)random.Next(1, 30) / 9)];
        }

        _keys = new double[rows.Count][];
        _values = new double[rows.Count][];
        _queries = new float[rows.Count][];
        int next = 0;
        for (int r = 0; r < rows.Count; r++)
        {
            AttentionRowCase row = rows[r];
            _queries[r] = OracleNumbers.Round(spec.DType, random.Floats((long)row.QueryLen * spec.NumQoHeads * spec.HeadDim));
            int dead = spec.SlidingWindow is { } w ? Math.Max(0, row.PrefixLen - w + 1) : 0;
            for (int b = 0; b * blockSize < row.SeqLen; b++)
                BlockTable[(r * MaxBlocks) + b] = (b + 1) * blockSize <= dead ? 0 : free[next++];
            _keys[r] = Fill(random, r, dead, Key, KeyScales, spec.HeadDim, Layout.Key);
            _values[r] = Fill(random, r, dead, Value, ValueScales, spec.VHeadDim, Layout.Value);
        }
    }

    public AttentionSpec Spec { get; }

    public int BlockSize { get; }

    public IReadOnlyList<AttentionRowCase> Rows { get; }

    public int NumBlocks { get; }

    public int MaxBlocks { get; }

    public int[] BlockTable { get; }

    public float[]? Sinks { get; }

    public float[]? Slopes { get; }

    public OracleCacheLayout Layout { get; }

    /// <summary>[1] or [KV heads], or null: 1.</summary>
    public float[]? KeyScales { get; }

    public float[]? ValueScales { get; }

    /// <summary>Bits of every element of the cache.</summary>
    public uint[] Key { get; }

    public uint[] Value { get; }

    public string Description =>
        $"{Spec.NumQoHeads}/{Spec.NumKvHeads} heads of {Spec.HeadDim}/{Spec.VHeadDim} {Spec.KvDType} {Layout.Kind}, block {BlockSize}, window {Spec.SlidingWindow}, "
        + $"cap {Spec.LogitsSoftCap}, sinks {Spec.HasSinks}, alibi {Spec.HasAlibi}, rows {string.Join(' ', Rows.Select(r => $"{r.PrefixLen}+{r.QueryLen}"))}";

    /// <summary>[query tokens of row, NumQoHeads, VHeadDim] by the oracle.</summary>
    public double[] Expected(int row)
    {
        var oracle = new OracleAttention
        {
            NumQoHeads = Spec.NumQoHeads,
            NumKvHeads = Spec.NumKvHeads,
            HeadDim = Spec.HeadDim,
            VHeadDim = Spec.VHeadDim,
            Scale = Spec.SoftmaxScale,
            SoftCap = Spec.LogitsSoftCap,
            Window = Spec.SlidingWindow,
            Sinks = Sinks,
            AlibiSlopes = Slopes,
        };
        int width = Spec.NumQoHeads * Spec.HeadDim;
        return [.. Enumerable.Range(0, Rows[row].QueryLen).SelectMany(t =>
            oracle.Attend(_queries[row].AsSpan(t * width, width), Rows[row].PrefixLen + t, _keys[row], _values[row]))];
    }

    /// <summary>Runs query tokens [first, first + count) of some rows in one call, as if the later ones were not there yet.</summary>
    /// <param name="tensors">Where it runs.</param>
    /// <param name="parts">Row, first query token, number of query tokens.</param>
    /// <returns>Per part [count, NumQoHeads, VHeadDim].</returns>
    public float[][] Run(PoisonedTensors tensors, params IReadOnlyList<(int Row, int First, int Count)> parts) => Run(tensors, default, parts);

    /// <summary>The same by any primitive. Rows that the call does not choose stay NaN.</summary>
    public float[][] Run(PoisonedTensors tensors, AttentionCall call, IReadOnlyList<(int Row, int First, int Count)> parts)
    {
        int queryWidth = Spec.NumQoHeads * Spec.HeadDim, outputWidth = Spec.NumQoHeads * Spec.VHeadDim;
        const int Padding = 2;
        int tokens = parts.Sum(p => p.Count);
        float[] query = [.. parts.SelectMany(p => _queries[p.Row].AsSpan(p.First * queryWidth, p.Count * queryWidth).ToArray()), .. Enumerable.Repeat(float.NaN, Padding * queryWidth)];
        int[] offsets = new int[parts.Count + 1];
        for (int i = 0; i < parts.Count; i++) offsets[i + 1] = offsets[i] + parts[i].Count;
        int[] lengths = [.. parts.Select(p => Rows[p.Row].PrefixLen + p.First + p.Count)];
        int[] table = [.. parts.SelectMany(p => BlockTable.AsSpan(p.Row * MaxBlocks, MaxBlocks).ToArray())];
        TensorView output = tensors.PoisonActivations(tokens + Padding, Spec.NumQoHeads, Spec.VHeadDim);
        var args = new PagedAttentionArgs
        {
            Spec = Spec,
            Query = tensors.Activations(query, tokens + Padding, Spec.NumQoHeads, Spec.HeadDim),
            Cache = Cache(tensors),
            CuSeqlensQ = tensors.I32(offsets, offsets.Length),
            SeqLens = tensors.I32(lengths, lengths.Length),
            BlockTable = tensors.I32(table, parts.Count, MaxBlocks),
            NumRows = parts.Count,
            MaxQueryLen = parts.Count == 0 ? 0 : parts.Max(p => p.Count),
            MaxSeqLen = parts.Count == 0 ? 0 : lengths.Max(),
            Sinks = Sinks is null ? default : tensors.F32(Sinks, Sinks.Length),
            AlibiSlopes = Slopes is null ? default : tensors.F32(Slopes, Slopes.Length),
            Output = output,
            Rows = call.Rows,
            Split = call.Split,
        };
        IAttentionKernels kernels = tensors.Device.AttentionKernels;
        AttentionSpec spec = Spec with { MaxSeqLen = Math.Max(1, args.MaxSeqLen) };
        var limits = new BatchLimits(tokens, parts.Count, spec.MaxSeqLen);
        using DeviceContext context = tensors.Device.CreateContext(
            call.IsPagedDecode ? kernels.PagedDecodeScratchBytes(spec, limits) : kernels.UnifiedAttentionScratchBytes(spec, limits));
        if (call.IsPagedDecode) kernels.PagedDecode(context, args);
        else kernels.UnifiedAttention(context, args);
        context.Synchronize();
        float[] result = tensors.Read(output);
        if (result.AsSpan(tokens * outputWidth).ContainsAnyExcept(float.NaN)) throw new InvalidOperationException("Padding tokens were written.");
        return [.. parts.Select((p, i) => result.AsSpan(offsets[i] * outputWidth, p.Count * outputWidth).ToArray())];
    }

    /// <summary>Replaces a channel of K or of V of one position in every KV head.</summary>
    public void Replace(int row, int position, int channel, bool ofValue, float with)
    {
        int heads = Spec.NumKvHeads, dim = ofValue ? Spec.VHeadDim : Spec.HeadDim;
        uint bits = OracleNumbers.Encode(Spec.KvDType, with);
        long slot = ((long)BlockTable[(row * MaxBlocks) + (position / BlockSize)] * BlockSize) + (position % BlockSize);
        for (int h = 0; h < heads; h++)
        {
            (ofValue ? _values : _keys)[row][(((position * heads) + h) * dim) + channel] = OracleNumbers.Decode(Spec.KvDType, bits);
            (ofValue ? Value : Key)[ofValue ? Layout.Value(slot, h, channel) : Layout.Key(slot, h, channel)] = bits;
        }
    }

    private KvCacheView Cache(PoisonedTensors tensors)
    {
        if (_uploaded.Tensors != tensors)
        {
            _uploaded = (tensors, Layout.Upload(tensors, Key, Value) with
            {
                KeyScales = KeyScales is null ? default : tensors.F32(KeyScales, KeyScales.Length),
                ValueScales = ValueScales is null ? default : tensors.F32(ValueScales, ValueScales.Length),
            });
        }

        return _uploaded.Cache;
    }

    /// <summary>Random elements for positions from <paramref name="dead"/> on; earlier ones stay NaN.</summary>
    private double[] Fill(TestRandom random, int row, int dead, uint[] cache, float[]? scales, int dim, Func<long, int, int, long> index)
    {
        int heads = Spec.NumKvHeads;
        var values = new double[Rows[row].SeqLen * heads * dim];
        Array.Fill(values, double.NaN, 0, Math.Min(dead, Rows[row].SeqLen) * heads * dim);
        for (int position = dead; position < Rows[row].SeqLen; position++)
        {
            long slot = ((long)BlockTable[(row * MaxBlocks) + (position / BlockSize)] * BlockSize) + (position % BlockSize);
            float[] drawn = random.Floats(heads * dim);
            for (int i = 0; i < heads * dim; i++)
            {
                uint bits = OracleNumbers.Encode(Spec.KvDType, drawn[i]);
                values[(position * heads * dim) + i] = OracleNumbers.Decode(Spec.KvDType, bits) * (scales is null ? 1 : scales[i / dim % scales.Length]);
                cache[index(slot, i / dim, i % dim)] = bits;
            }
        }

        return values;
    }
}
