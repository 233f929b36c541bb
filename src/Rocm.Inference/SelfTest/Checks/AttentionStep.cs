using Rocm.Inference.SelfTest.Reference;

namespace Rocm.Inference.SelfTest.Checks;

/// <summary>Queries of a step over a paged cache, and what attention must give for some of its tokens.</summary>
internal sealed class AttentionStep
{
    private const int NumPadding = 2;
    private readonly SelfTestLane _lane;
    private readonly AttentionSpec _spec;
    private readonly IReadOnlyList<PagedRow> _rows;
    private readonly HostTensor _query;

    /// <param name="lane">Owns the operands.</param>
    /// <param name="shape">Latent attention: absorbed.</param>
    /// <param name="rows">The step.</param>
    public AttentionStep(SelfTestLane lane, AttentionShape shape, IReadOnlyList<PagedRow> rows)
    {
        (_lane, _spec, _rows) = (lane, shape.Spec, rows);
        Cache = new PagedCache(lane, shape, rows);
        Offsets = new int[rows.Count + 1];
        for (int r = 0; r < rows.Count; r++) Offsets[r + 1] = Offsets[r] + rows[r].QueryLen;
        _query = lane.Draw(NumTokens + NumPadding, _spec.NumQoHeads, _spec.HeadDim);
        for (long i = NumTokens * (long)_spec.NumQoHeads * _spec.HeadDim; i < _query.Count; i++) _query[i] = double.NaN;
        Sinks = _spec.HasSinks ? lane.Random.Floats(_spec.NumQoHeads, 2) : null;
        Slopes = _spec.HasAlibi ? [.. Enumerable.Range(1, _spec.NumQoHeads).Select(h => (float)Math.Pow(2, -8.0 * h / _spec.NumQoHeads))] : null;
        Query = lane.Upload(_query);
        Output = lane.Poison(lane.Activation, NumTokens + NumPadding, _spec.NumQoHeads, _spec.VHeadDim);
        Lse = lane.Poison(DType.F32, _spec.NumQoHeads, NumTokens + NumPadding);
        CuSeqlensQ = lane.Upload(Offsets);
        SeqLens = lane.Upload([.. rows.Select(row => row.SeqLen)]);
    }

    public PagedCache Cache { get; }

    public int[] Offsets { get; }

    public int NumTokens => Offsets[^1];

    public float[]? Sinks { get; }

    public float[]? Slopes { get; }

    public TensorView Query { get; }

    public TensorView CuSeqlensQ { get; }

    public TensorView SeqLens { get; }

    public TensorView Output { get; }

    public TensorView Lse { get; }

    public int MaxQueryLen => _rows.Max(row => row.QueryLen);

    public int MaxSeqLen => _rows.Max(row => row.SeqLen);

    public BatchLimits Limits => new(NumTokens, _rows.Count, Math.Max(1, MaxSeqLen));

    /// <summary>The keys that some query sees, queries and outputs, each once.</summary>
    public long Bytes => (_rows.Sum(row => (long)Seen(row)) * Cache.BytesPerToken)
        + (NumTokens * (long)_spec.NumQoHeads * (_spec.HeadDim + _spec.VHeadDim) * _lane.Activation.ByteSize());

    /// <summary>Compares some tokens, and sees that the others are numbers and padding was left alone.</summary>
    /// <param name="mostTokens">Tokens to compare.</param>
    /// <param name="withLse">Whether <see cref="Lse"/> was asked for.</param>
    public double Compare(int mostTokens, bool withLse)
    {
        int width = _spec.NumQoHeads * _spec.VHeadDim, queryWidth = _spec.NumQoHeads * _spec.HeadDim;
        HostTensor output = _lane.Download(Output), lse = _lane.Download(Lse);
        var reference = new ReferenceAttention(_spec, Sinks, Slopes);
        ErrorMeter meter = ErrorMeter.OfAttention(_lane.Activation), lseMeter = ErrorMeter.OfLse(_lane.Activation);
        foreach (int token in _lane.Sample(NumTokens, mostTokens))
        {
            int row = Enumerable.Range(0, _rows.Count).First(r => token < Offsets[r + 1]);
            int position = _rows[row].PrefixLen + token - Offsets[row];
            (double[] values, double[] logs) = reference.Attend(
                _query.Read(token * (long)queryWidth, queryWidth), position, 0, _rows[row].SeqLen, causal: true,
                (key, head, k) => Cache.ReadKey(row, key, head, k), (key, head, v) => Cache.ReadValue(row, key, head, v));
            meter.Add(values, output.Read(token * (long)width, width));
            for (int h = 0; h < logs.Length && withLse; h++) lseMeter.Add(logs[h], lse[(h * lse.Shape[1]) + token]);
        }

        for (long i = 0; i < output.Count; i++) meter.Require(i < NumTokens * (long)width ? double.IsFinite(output[i]) : double.IsNaN(output[i]));
        return Math.Max(meter.Worst(), lseMeter.Worst());
    }

    private int Seen(PagedRow row) => _spec.SlidingWindow is { } window ? Math.Min(row.SeqLen, row.QueryLen + window - 1) : row.SeqLen;
}
