using Rocm.Inference.Devices;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Conformance.Attention;

/// <summary>
/// A random latent cache and absorbed queries, and what attention must give. Blocks are shuffled; slots that no sequence uses hold NaN, and table entries
/// past the end point nowhere.
/// </summary>
internal sealed class MlaCase
{
    private const int Padding = 2;
    private readonly double[][] _latents;
    private readonly float[][] _queries;
    private readonly uint[] _cache;
    private readonly int[] _table;
    private readonly int _numBlocks;
    private readonly int _maxBlocks;

    public MlaCase(TestRandom random, int heads, int rank, int ropeDim, DType dtype, int blockSize, IReadOnlyList<AttentionRowCase> rows, float scale = 1, IDevice? device = null)
    {
        Rows = rows;
        BlockSize = blockSize;
        KeyScale = scale;
        Spec = new AttentionSpec
        {
            Kind = AttentionKind.Mla,
            NumQoHeads = heads,
            NumKvHeads = 1,
            HeadDim = rank + ropeDim,
            VHeadDim = rank,
            KvLoraRank = rank,
            QkRopeHeadDim = ropeDim,
            QkNopeHeadDim = 32,
            SoftmaxScale = (float)(1.5 / Math.Sqrt(rank + ropeDim)),
            KvDType = dtype,
            HasKvScales = scale != 1,
            MaxSeqLen = 4096,
        };
        int width = rank + ropeDim, used = rows.Sum(r => Blocks(r));
        _maxBlocks = rows.Max(Blocks) + 1;
        _numBlocks = used + 2;
        _table = new int[rows.Count * _maxBlocks];
        Array.Fill(_table, int.MinValue);
        _cache = new uint[_numBlocks * blockSize * width];
        Array.Fill(_cache, uint.MaxValue);
        int[] free = [.. Enumerable.Range(1, _numBlocks - 1).OrderBy(_ => random.Next(0, int.MaxValue))];
        _queries = [.. rows.Select(r => Draw((long)r.QueryLen * heads * width))];
        _latents = [.. rows.Select(r => new double[r.SeqLen * width])];
        for (int r = 0, next = 0; r < rows.Count; r++)
        {
            for (int b = 0; b < Blocks(rows[r]); b++) _table[(r * _maxBlocks) + b] = free[next++];
            float[] values = random.Floats(rows[r].SeqLen * width);
            for (int i = 0; i < values.Length; i++)
            {
                int position = i / width;
                uint bits = OracleNumbers.Encode(dtype, values[i] / scale);
                _latents[r][i] = OracleNumbers.Decode(dtype, bits) * scale;
                _cache[(((_table[(r * _maxBlocks) + (position / blockSize)] * blockSize) + (position % blockSize)) * width) + (i % width)] = bits;
            }
        }

        int Blocks(AttentionRowCase row) => (row.SeqLen + blockSize - 1) / blockSize;

        // Values that the device's activation type holds exactly.
        float[] Draw(long count) => device is null ? random.Floats(count) : PoisonedTensors.Round(device, random.Floats(count));
    }

    public AttentionSpec Spec { get; }

    public IReadOnlyList<AttentionRowCase> Rows { get; }

    public int BlockSize { get; }

    public float KeyScale { get; }

    public int[] BlockTable => _table;

    /// <summary>Replaces a channel of one position's latent row.</summary>
    public void Replace(int row, int position, int channel, float with)
    {
        int width = Spec.HeadDim;
        _latents[row][(position * width) + channel] = with;
        _cache[(((_table[(row * _maxBlocks) + (position / BlockSize)] * BlockSize) + (position % BlockSize)) * width) + channel] = OracleNumbers.Encode(Spec.KvDType, with);
    }

    public int NumBlocks => _numBlocks;

    public string Description =>
        $"{Spec.NumQoHeads} heads over {Spec.KvLoraRank}+{Spec.QkRopeHeadDim} {Spec.KvDType} times {KeyScale}, block {BlockSize}, rows {string.Join(' ', Rows.Select(r => $"{r.PrefixLen}+{r.QueryLen}"))}";

    /// <summary>[query tokens, heads, latent] and [query tokens, heads] of a row by the oracle: values are the front of the keys.</summary>
    public (double[] Output, double[] Lse) Expected(int row)
    {
        int width = Spec.HeadDim, rank = Spec.KvLoraRank;
        var oracle = new OracleAttention { NumQoHeads = Spec.NumQoHeads, NumKvHeads = 1, HeadDim = width, VHeadDim = rank, Scale = Spec.SoftmaxScale };
        double[] values = [.. Enumerable.Range(0, Rows[row].SeqLen).SelectMany(j => _latents[row].AsSpan(j * width, rank).ToArray())];
        var tokens = Enumerable.Range(0, Rows[row].QueryLen).Select(t => oracle.Attend(
            _queries[row].AsSpan(t * Spec.NumQoHeads * width, Spec.NumQoHeads * width), Rows[row].PrefixLen + t, _latents[row], values, 0, Rows[row].SeqLen, causal: true)).ToList();
        return ([.. tokens.SelectMany(t => t.Output)], [.. tokens.SelectMany(t => t.Lse)]);
    }

    /// <summary>Runs query tokens [first, first + count) of some rows in one call, as if the later ones were not there yet.</summary>
    /// <returns>Per part [count, heads, latent] and [count, heads].</returns>
    public (float[] Output, float[] Lse)[] Run(PoisonedTensors tensors, KvSplit split, params IReadOnlyList<(int Row, int First, int Count)> parts)
    {
        int heads = Spec.NumQoHeads, rank = Spec.KvLoraRank, rope = Spec.QkRopeHeadDim, width = rank + rope;
        int tokens = parts.Sum(p => p.Count), all = tokens + Padding;
        float[] queries = [.. parts.SelectMany(p => _queries[p.Row].AsSpan(p.First * heads * width, p.Count * heads * width).ToArray()), .. Enumerable.Repeat(float.NaN, Padding * heads * width)];
        int[] offsets = new int[parts.Count + 1];
        for (int i = 0; i < parts.Count; i++) offsets[i + 1] = offsets[i] + parts[i].Count;
        int[] lengths = [.. parts.Select(p => Rows[p.Row].PrefixLen + p.First + p.Count)];

        // Latent and rotary part as slices of one tensor, like the rows of the cache.
        TensorView query = tensors.Activations(queries, all, heads, width);
        TensorView output = tensors.PoisonActivations(all, heads, rank), lse = tensors.Poison(DType.F32, heads, all);
        TensorView scale = KeyScale == 1 ? default : tensors.F32([KeyScale], 1);
        var args = new MlaDecodeArgs
        {
            Spec = Spec,
            Query = query.Slice(2, 0, rank),
            QueryRope = rope == 0 ? default : query.Slice(2, rank, rope),
            Cache = new KvCacheView { Layout = KvLayoutKind.MlaLatent, BlockSize = BlockSize, Key = Cache(tensors), KeyScales = scale },
            CuSeqlensQ = tensors.I32(offsets, offsets.Length),
            SeqLens = tensors.I32(lengths, lengths.Length),
            BlockTable = tensors.I32([.. parts.SelectMany(p => _table.AsSpan(p.Row * _maxBlocks, _maxBlocks).ToArray())], parts.Count, _maxBlocks),
            NumRows = parts.Count,
            MaxQueryLen = parts.Count == 0 ? 0 : parts.Max(p => p.Count),
            MaxSeqLen = parts.Count == 0 ? 0 : lengths.Max(),
            Split = split,
            Output = output,
            Lse = lse,
        };
        long bound = tensors.Device.AttentionKernels.MlaDecodeScratchBytes(
            Spec with { MaxSeqLen = Math.Max(1, args.MaxSeqLen) }, new BatchLimits(tokens, parts.Count, Math.Max(1, args.MaxSeqLen)));
        using DeviceContext context = tensors.Device.CreateContext(bound);
        tensors.Device.AttentionKernels.MlaDecode(context, args);
        context.Synchronize();
        float[] result = tensors.Read(output), logs = tensors.Read(lse);
        if (result.AsSpan(tokens * heads * rank).ContainsAnyExcept(float.NaN)) throw new InvalidOperationException("Padding tokens were written.");
        return [.. parts.Select((p, i) => (
            result.AsSpan(offsets[i] * heads * rank, p.Count * heads * rank).ToArray(),
            Enumerable.Range(offsets[i], p.Count).SelectMany(t => Enumerable.Range(0, heads).Select(h => logs[(h * all) + t])).ToArray()))];
    }

    private TensorView Cache(PoisonedTensors tensors)
    {
        TensorView view = tensors.Poison(Spec.KvDType, _numBlocks, BlockSize, Spec.HeadDim);
        switch (Spec.KvDType.ByteSize())
        {
            case 4:
                tensors.Context.Upload<uint>(_cache, view);
                break;
            case 2:
                tensors.Context.Upload<ushort>([.. _cache.Select(b => (ushort)b)], view);
                break;
            default:
                // All bits set is NaN in each 8-bit float but fnuz, whose only one is 0x80.
                tensors.Context.Upload<byte>([.. _cache.Select(b => b == uint.MaxValue ? (byte)(Spec.KvDType == DType.F8E4M3Fnuz ? 0x80 : 0xFF) : (byte)b)], view);
                break;
        }

        return view;
    }
}
