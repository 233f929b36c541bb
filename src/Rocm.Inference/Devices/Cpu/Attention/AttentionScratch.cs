using Rocm.Inference.Devices.Cpu.Panels;

namespace Rocm.Inference.Devices.Cpu.Attention;

/// <summary>One thread's scratch memory in attention. A query row is a query head and a query token; the rows of a KV head are consecutive.</summary>
internal unsafe struct AttentionScratch
{
    /// <summary>Most query rows of an item that has several KV heads.</summary>
    public const int MaxGroupRows = 128;

    private const int Float8TableBytes = 256;
    private readonly int _rows;
    private readonly long _keyBytes;
    private readonly int _keyLines;
    private readonly int _valueLines;
    private readonly int _wideKeys;
    private readonly int _wideValues;

    public AttentionScratch(in AttentionJob job)
    {
        _rows = Math.Max(job.BlockTokens * job.GqaRatio, job.MaxItemHeads > 1 ? MaxGroupRows : 0);
        QueryStride = (job.HeadDim + 1) & ~1;
        ValueStride = PaddedValueDim(job.ValueDim);
        _keyBytes = Panel.SizeBytes(PanelFormat.F32, job.HeadDim + 2);
        _keyLines = CacheAhead.Bound(job.Key) * Math.Max(1, job.MaxItemHeads);
        _valueLines = CacheAhead.Bound(job.Value) * Math.Max(1, job.MaxItemHeads);
        _wideKeys = job.Key.DType.IsFloat8() ? WideStride(job.Key.Dim) * Panel.Width : 0;
        _wideValues = job.Value.DType.IsFloat8() ? WideStride(job.Value.Dim) * Panel.Width : 0;
    }

    /// <summary>Floats from one row of <see cref="Queries"/> to the next: the head dimension rounded up to even.</summary>
    public readonly int QueryStride { get; }

    /// <summary>Floats from one row of <see cref="Values"/> and <see cref="Totals"/> to the next: Dv rounded up to panels.</summary>
    public readonly int ValueStride { get; }

    /// <summary>[rows, QueryStride]: queries times the softmax scale.</summary>
    public float* Queries { get; private set; }

    /// <summary>The same of each group of 8 rows of a KV head, packed.</summary>
    public float* GroupQueries { get; private set; }

    /// <summary>[rows, 48]: scores, then probabilities of a tile.</summary>
    public float* Scores { get; private set; }

    /// <summary>[rows, ValueStride]: sum of p · v in the current segment.</summary>
    public float* Values { get; private set; }

    /// <summary>[rows, ValueStride]: the same over the segments of a span so far.</summary>
    public float* Spans { get; private set; }

    /// <summary>[rows, ValueStride]: the same over the spans so far.</summary>
    public float* Totals { get; private set; }

    /// <summary>[rows]: largest score of the segment, −∞ when no key was seen.</summary>
    public float* Max { get; private set; }

    /// <summary>[rows]: sum of p in the segment.</summary>
    public float* Sum { get; private set; }

    public float* SpanMax { get; private set; }

    public float* SpanSum { get; private set; }

    public float* TotalMax { get; private set; }

    public float* TotalSum { get; private set; }

    /// <summary>0, 1, 2 … 47.</summary>
    public float* Lanes { get; private set; }

    public byte* KeyPanel { get; private set; }

    /// <summary>[48, ValueStride]: V of a tile where it is not read in place.</summary>
    public float* ValueFloats { get; private set; }

    /// <summary>[48] addresses of K's rows of a tile; likewise V.</summary>
    public byte** KeyRows { get; private set; }

    public byte** ValueRows { get; private set; }

    /// <summary>Addresses for <see cref="KeyAhead"/> and <see cref="ValueAhead"/>.</summary>
    public byte** KeyLines { get; private set; }

    public byte** ValueLines { get; private set; }

    /// <summary>What is asked for during the product with K.</summary>
    public CacheAhead* KeyAhead { get; private set; }

    /// <summary>What is asked for during the product with V.</summary>
    public CacheAhead* ValueAhead { get; private set; }

    /// <summary>[48, WideStride]: K of a tile of 8-bit floats as bf16; likewise V.</summary>
    public ushort* WideKeys { get; private set; }

    public ushort* WideValues { get; private set; }

    /// <summary>Of <see cref="Float8Pieces{TSimd, TVector}"/>, for caches of 8-bit floats.</summary>
    public byte* Table { get; private set; }

    public readonly long SizeBytes
    {
        get
        {
            AttentionScratch layout = this;
            return layout.Layout(null);
        }
    }

    public static int PaddedValueDim(int valueDim) => (valueDim + Panel.Width - 1) / Panel.Width * Panel.Width;

    /// <summary>Puts the arrays into memory of <see cref="SizeBytes"/>.</summary>
    public void Place(void* memory)
    {
        Layout((byte*)memory);
        for (int i = 0; i < Panel.Width; i++) Lanes[i] = i;
    }

    /// <summary>Elements from one row of <see cref="WideKeys"/> or <see cref="WideValues"/> to the next.</summary>
    public static int WideStride(int dim) => (dim + 15) & ~15;

    public readonly void ClearSpans(int rows)
    {
        new Span<float>(SpanMax, rows).Fill(float.NegativeInfinity);
        new Span<float>(SpanSum, rows).Clear();
    }

    public readonly void ClearTotals(int rows)
    {
        new Span<float>(TotalMax, rows).Fill(float.NegativeInfinity);
        new Span<float>(TotalSum, rows).Clear();
    }

    private long Layout(byte* memory)
    {
        long used = 0;
        Queries = (float*)Take(memory, ref used, (long)_rows * QueryStride * sizeof(float));
        GroupQueries = (float*)Take(memory, ref used, (long)_rows * QueryStride * sizeof(float));
        Scores = (float*)Take(memory, ref used, (long)_rows * Panel.Width * sizeof(float));
        Values = (float*)Take(memory, ref used, (long)_rows * ValueStride * sizeof(float));
        Spans = (float*)Take(memory, ref used, (long)_rows * ValueStride * sizeof(float));
        Totals = (float*)Take(memory, ref used, (long)_rows * ValueStride * sizeof(float));
        Max = (float*)Take(memory, ref used, (long)_rows * sizeof(float));
        Sum = (float*)Take(memory, ref used, (long)_rows * sizeof(float));
        SpanMax = (float*)Take(memory, ref used, (long)_rows * sizeof(float));
        SpanSum = (float*)Take(memory, ref used, (long)_rows * sizeof(float));
        TotalMax = (float*)Take(memory, ref used, (long)_rows * sizeof(float));
        TotalSum = (float*)Take(memory, ref used, (long)_rows * sizeof(float));
        Lanes = (float*)Take(memory, ref used, Panel.Width * sizeof(float));
        KeyPanel = Take(memory, ref used, _keyBytes);
        ValueFloats = (float*)Take(memory, ref used, (long)ValueStride * Panel.Width * sizeof(float));
        KeyRows = (byte**)Take(memory, ref used, Panel.Width * sizeof(byte*));
        ValueRows = (byte**)Take(memory, ref used, Panel.Width * sizeof(byte*));
        KeyLines = (byte**)Take(memory, ref used, _keyLines * sizeof(byte*));
        ValueLines = (byte**)Take(memory, ref used, _valueLines * sizeof(byte*));
        KeyAhead = (CacheAhead*)Take(memory, ref used, sizeof(CacheAhead));
        ValueAhead = (CacheAhead*)Take(memory, ref used, sizeof(CacheAhead));
        WideKeys = (ushort*)Take(memory, ref used, _wideKeys * sizeof(ushort));
        WideValues = (ushort*)Take(memory, ref used, _wideValues * sizeof(ushort));
        Table = Take(memory, ref used, Float8TableBytes);
        return used;
    }

    private static byte* Take(byte* memory, ref long used, long bytes)
    {
        byte* start = memory + used;
        used += (bytes + 63) & ~63L;
        return start;
    }
}

/// <summary>What one work item attends with: query tokens [FirstToken, FirstToken + NumTokens) of the query heads of some KV heads.</summary>
internal struct AttentionItem
{
    /// <summary>Index of the first token in the step.</summary>
    public int FirstToken;
    public int NumTokens;

    /// <summary>Position of the first token in its sequence.</summary>
    public int FirstPosition;

    /// <summary>Number of keys: positions [0, NumKeys).</summary>
    public int NumKeys;

    /// <summary>End of the keys that this item reads.</summary>
    public int EndKey;

    /// <summary>First KV head.</summary>
    public int Head;
    public int NumHeads;

    /// <summary>Keys and values of the first head.</summary>
    public KvTileSource Source;

    /// <summary>Query rows of all heads.</summary>
    public readonly int NumRows(int ratio) => NumHeads * NumTokens * ratio;

    /// <summary>Index of a row's token in the step, and its query head.</summary>
    public readonly (int Token, int QueryHead) Row(int row, int ratio)
    {
        (int head, int rest) = Math.DivRem(row, NumTokens * ratio);
        (int token, int member) = Math.DivRem(rest, ratio);
        return (FirstToken + token, ((Head + head) * ratio) + member);
    }
}
