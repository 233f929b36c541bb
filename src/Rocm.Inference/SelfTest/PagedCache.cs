using Rocm.Inference.SelfTest.Reference;

namespace Rocm.Inference.SelfTest;

/// <summary>One request: tokens in the cache before the step, and tokens of the step.</summary>
internal readonly record struct PagedRow(int PrefixLen, int QueryLen)
{
    public int SeqLen => PrefixLen + QueryLen;
}

/// <summary>
/// A random paged cache on a device and on the host. Blocks are shuffled; slots that no sequence uses and positions that every query's window has passed
/// are NaN (see <see cref="SelfTestLane.HasClearedCache"/>), and entries of the block table past the end point nowhere.
/// </summary>
internal sealed class PagedCache
{
    private readonly ReferenceCacheLayout _layout;
    private readonly HostTensor _key;
    private readonly HostTensor? _value;
    private readonly float[] _keyScales;
    private readonly float[] _valueScales;
    private readonly int[] _table;

    public PagedCache(SelfTestLane lane, AttentionShape shape, IReadOnlyList<PagedRow> rows)
    {
        AttentionSpec spec = shape.Spec;
        bool isLatent = shape.Layout == KvLayoutKind.MlaLatent;
        int block = shape.BlockSize, used = rows.Sum(row => Blocks(row.SeqLen, block));
        MaxBlocks = rows.Max(row => Blocks(row.SeqLen, block)) + 1;
        NumBlocks = used + 3;
        _layout = new ReferenceCacheLayout(shape.Layout, spec.KvDType, NumBlocks, block, spec.NumKvHeads, spec.HeadDim, spec.VHeadDim);
        _key = Empty(lane, spec.KvDType, _layout.KeyShape);
        _value = isLatent ? null : Empty(lane, spec.KvDType, _layout.ValueShape);
        _keyScales = Scales(lane.Random, spec, isLatent ? 1 : spec.NumKvHeads);
        _valueScales = isLatent ? [] : Scales(lane.Random, spec, 1);
        _table = new int[rows.Count * MaxBlocks];
        Array.Fill(_table, int.MinValue);
        int[] free = lane.Random.Permutation(NumBlocks - 1);
        uint[] pool = lane.Random.Pool(spec.KvDType, 1);
        for (int r = 0, next = 0; r < rows.Count; r++)
        {
            int dead = spec.SlidingWindow is { } window ? Math.Max(0, rows[r].PrefixLen - window + 1) : 0;
            for (int b = 0; b < Blocks(rows[r].SeqLen, block); b++) _table[(r * MaxBlocks) + b] = (b + 1) * block <= dead ? 0 : 1 + free[next++];
            for (int position = dead; position < rows[r].SeqLen; position++) Fill(lane.Random, pool, Slot(r, position));
        }

        View = new KvCacheView
        {
            Layout = shape.Layout,
            BlockSize = block,
            Key = lane.Upload(_key),
            Value = _value is null ? default : lane.Upload(_value),
            KeyScales = _keyScales.Length == 0 ? default : lane.Upload(_keyScales),
            ValueScales = _valueScales.Length == 0 ? default : lane.Upload(_valueScales),
        };
        BlockTable = lane.Upload(HostTensor.Of(_table, rows.Count, MaxBlocks));
    }

    public KvCacheView View { get; }

    /// <summary>[rows, <see cref="MaxBlocks"/>].</summary>
    public TensorView BlockTable { get; }

    public int MaxBlocks { get; }

    public int NumBlocks { get; }

    /// <summary>K and V of one token, in bytes.</summary>
    public long BytesPerToken => _layout.NumHeads * (_layout.KeyDim + (_value is null ? 0 : _layout.ValueDim)) * (long)_layout.DType.ByteSize();

    /// <summary>A head of K of a position of a row, dequantized.</summary>
    public void ReadKey(int row, int position, int head, Span<double> values)
    {
        double scale = _keyScales.Length == 0 ? 1 : _keyScales[head % _keyScales.Length];
        long slot = Slot(row, position);
        for (int c = 0; c < values.Length; c++) values[c] = _key[_layout.Key(slot, head, c)] * scale;
    }

    /// <summary>A head of V; of a latent cache the front of K.</summary>
    public void ReadValue(int row, int position, int head, Span<double> values)
    {
        if (_value is null)
        {
            ReadKey(row, position, head, values);
            return;
        }

        double scale = _valueScales.Length == 0 ? 1 : _valueScales[head % _valueScales.Length];
        long slot = Slot(row, position);
        for (int c = 0; c < values.Length; c++) values[c] = _value[_layout.Value(slot, head, c)] * scale;
    }

    private static HostTensor Empty(SelfTestLane lane, DType type, long[] shape) => lane.HasClearedCache ? new HostTensor(type, shape) : HostTensor.Poisoned(type, shape);

    private static int Blocks(int tokens, int blockSize) => (tokens + blockSize - 1) / blockSize;

    private static float[] Scales(SelfTestRandom random, AttentionSpec spec, int count) =>
        spec.HasKvScales ? [.. Enumerable.Range(0, count).Select(_ => random.Next(3, 30) / 9f)] : [];

    private long Slot(int row, int position) => ((long)_table[(row * MaxBlocks) + (position / _layout.BlockSize)] * _layout.BlockSize) + (position % _layout.BlockSize);

    private void Fill(SelfTestRandom random, uint[] pool, long slot)
    {
        for (int head = 0; head < _layout.NumHeads; head++)
        {
            for (int c = 0; c < _layout.KeyDim; c++) _key.SetBits(_layout.Key(slot, head, c), random.Pick(pool));
            for (int c = 0; c < _layout.ValueDim && _value is not null; c++) _value.SetBits(_layout.Value(slot, head, c), random.Pick(pool));
        }
    }
}
