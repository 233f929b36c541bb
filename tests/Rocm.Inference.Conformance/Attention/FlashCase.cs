using Rocm.Inference.Devices;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Conformance.Attention;

/// <summary>One row of a case: queries at [QueryPosition, + QueryLen) and keys at [KeyPosition, + KeyLen).</summary>
internal sealed record FlashRowCase(int QueryLen, int KeyLen, int QueryPosition, int KeyPosition = 0)
{
    /// <summary>Queries at the end of their own keys.</summary>
    public static FlashRowCase Aligned(int queryLen, int keyLen) => new(queryLen, keyLen, keyLen - queryLen);
}

/// <summary>
/// Random contiguous queries, keys and values, and what attention must give. All operands are slices of wider tensors, like the products that they
/// come from; what lies between them, keys that no query sees, and tokens of no row are NaN.
/// </summary>
internal sealed class FlashCase
{
    private const int Padding = 2;
    private readonly IDevice? _device;
    private readonly float[][] _queries;
    private readonly float[][] _keys;
    private readonly float[][] _values;

    /// <param name="random">Source of everything.</param>
    /// <param name="spec">HeadDim includes the rotary part.</param>
    /// <param name="ropeDim">Elements at the end of a head that come as tensors of their own, the keys' shared by all heads.</param>
    /// <param name="causal">Mask of later keys.</param>
    /// <param name="rows">The rows.</param>
    /// <param name="device">Whose activation type holds the values exactly; null: one with f32.</param>
    public FlashCase(TestRandom random, AttentionSpec spec, int ropeDim, bool causal, IReadOnlyList<FlashRowCase> rows, IDevice? device = null)
    {
        _device = device;
        Spec = spec;
        RopeDim = ropeDim;
        Causal = causal;
        Rows = rows;
        Sinks = spec.HasSinks ? random.Floats(spec.NumQoHeads, 2) : null;
        Slopes = spec.HasAlibi ? [.. Enumerable.Range(0, spec.NumQoHeads).Select(h => (float)Math.Pow(2, -8.0 * (h + 1) / spec.NumQoHeads))] : null;
        _queries = [.. rows.Select(r => Draw((long)r.QueryLen * spec.NumQoHeads * spec.HeadDim))];
        _keys = [.. rows.Select(r => Draw((long)r.KeyLen * spec.NumKvHeads * spec.HeadDim))];
        _values = [.. rows.Select(r => Draw((long)r.KeyLen * spec.NumKvHeads * spec.VHeadDim))];
        for (int r = 0; r < rows.Count; r++)
        {
            for (int j = 0; j < rows[r].KeyLen; j++)
            {
                if (!IsSeen(rows[r], rows[r].KeyPosition + j))
                {
                    _keys[r].AsSpan(j * spec.NumKvHeads * spec.HeadDim, spec.NumKvHeads * spec.HeadDim).Fill(float.NaN);
                    _values[r].AsSpan(j * spec.NumKvHeads * spec.VHeadDim, spec.NumKvHeads * spec.VHeadDim).Fill(float.NaN);
                    continue;
                }

                // The rotary part is the same for all heads.
                for (int h = 1; h < spec.NumKvHeads; h++)
                    KeyHead(r, j, 0)[(spec.HeadDim - ropeDim)..].CopyTo(KeyHead(r, j, h)[(spec.HeadDim - ropeDim)..]);
            }
        }

        float[] Draw(long count) => device is null ? random.Floats(count) : PoisonedTensors.Round(device, random.Floats(count));
    }

    public AttentionSpec Spec { get; }

    public int RopeDim { get; }

    public bool Causal { get; }

    public IReadOnlyList<FlashRowCase> Rows { get; }

    public float[]? Sinks { get; init; }

    public float[]? Slopes { get; }

    public string Description =>
        $"{Spec.NumQoHeads}/{Spec.NumKvHeads} heads of {Spec.HeadDim}({RopeDim})/{Spec.VHeadDim}, causal {Causal}, window {Spec.SlidingWindow}, cap {Spec.LogitsSoftCap}, "
        + $"sinks {Sinks is not null}, alibi {Spec.HasAlibi}, rows {string.Join(' ', Rows.Select(r => $"{r.QueryLen}@{r.QueryPosition}x{r.KeyLen}@{r.KeyPosition}"))}";

    /// <summary>[query tokens, NumQoHeads, VHeadDim] and [query tokens, NumQoHeads] of a row by the oracle.</summary>
    /// <param name="row">The row.</param>
    /// <param name="weightType">See <see cref="OracleAttention.WeightType"/>.</param>
    /// <param name="weightTile">See <see cref="OracleAttention.WeightTile"/>.</param>
    public (double[] Output, double[] Lse) Expected(int row, DType? weightType = null, int weightTile = 1)
    {
        OracleAttention oracle = Oracle(Sinks, weightType, weightTile);
        double[] keys = [.. _keys[row]], values = [.. _values[row]];
        int width = Spec.NumQoHeads * Spec.HeadDim;
        var tokens = Enumerable.Range(0, Rows[row].QueryLen).Select(t => oracle.Attend(
            _queries[row].AsSpan(t * width, width), Rows[row].QueryPosition + t, keys, values, Rows[row].KeyPosition, Rows[row].KeyLen, Causal)).ToList();
        return ([.. tokens.SelectMany(t => t.Output)], [.. tokens.SelectMany(t => t.Lse)]);
    }

    /// <summary>Replaces a channel of K or of V of one key in every KV head.</summary>
    public void Replace(int row, int key, int channel, bool ofValue, float with)
    {
        for (int h = 0; h < Spec.NumKvHeads; h++)
        {
            if (ofValue) _values[row][(((key * Spec.NumKvHeads) + h) * Spec.VHeadDim) + channel] = with;
            else KeyHead(row, key, h)[channel] = with;
        }
    }

    /// <summary>The same queries against keys [first, first + count) of each row, without the sinks, and of the same positions.</summary>
    public FlashCase Chunk(bool causal, bool withSinks, IReadOnlyList<(int First, int Count)> parts) =>
        new(this, causal, withSinks ? Sinks : null, parts);

    /// <summary>Runs some rows in one call.</summary>
    /// <returns>Per row [tokens, NumQoHeads, VHeadDim] and [tokens, NumQoHeads].</returns>
    public (float[] Output, float[] Lse)[] Run(PoisonedTensors tensors, bool packed, params IReadOnlyList<int> rows)
    {
        (TensorView output, TensorView lse) = RunOnDevice(tensors, packed, rows);
        float[] values = tensors.Read(output), logs = tensors.Read(lse);
        int tokens = rows.Sum(r => Rows[r].QueryLen), all = tokens + Padding, width = Spec.NumQoHeads * Spec.VHeadDim;
        if (values.AsSpan(tokens * width).ContainsAnyExcept(float.NaN)) throw new InvalidOperationException("Padding tokens were written.");
        var results = new (float[], float[])[rows.Count];
        for (int i = 0, start = 0; i < rows.Count; start += Rows[rows[i]].QueryLen, i++)
        {
            int count = Rows[rows[i]].QueryLen, first = start;
            results[i] = (values.AsSpan(first * width, count * width).ToArray(),
                [.. Enumerable.Range(first, count).SelectMany(t => Enumerable.Range(0, Spec.NumQoHeads).Select(h => logs[(h * all) + t]))]);
        }

        return results;
    }

    /// <summary>Runs some rows in one call and leaves the result [T, Hq, Dv] and [Hq, T] on the device.</summary>
    public (TensorView Output, TensorView Lse) RunOnDevice(PoisonedTensors tensors, bool packed, params IReadOnlyList<int> rows)
    {
        int heads = Spec.NumQoHeads, kvHeads = Spec.NumKvHeads, dim = Spec.HeadDim - RopeDim, valueDim = Spec.VHeadDim;
        int tokens = rows.Sum(r => Rows[r].QueryLen), keys = rows.Sum(r => Rows[r].KeyLen);
        TensorView query = Columns(tensors, [.. rows.SelectMany(r => Part(_queries[r], Spec.HeadDim, 0, dim))], tokens + Padding, heads, dim, 3);
        TensorView key = Columns(tensors, [.. rows.SelectMany(r => Part(_keys[r], Spec.HeadDim, 0, dim))], keys + Padding, kvHeads, dim, valueDim);
        TensorView value = Columns(tensors, [.. rows.SelectMany(r => _values[r])], keys + Padding, kvHeads, valueDim, dim);
        TensorView queryRope = default, keyRope = default;
        if (RopeDim > 0)
        {
            queryRope = Columns(tensors, [.. rows.SelectMany(r => Part(_queries[r], Spec.HeadDim, dim, RopeDim))], tokens + Padding, heads, RopeDim, 1);
            keyRope = Columns(tensors, [.. rows.SelectMany(r => Part(_keys[r], kvHeads * Spec.HeadDim, dim, RopeDim))], keys + Padding, 1, RopeDim, 5);
        }

        TensorView output = tensors.PoisonActivations(tokens + Padding, heads, valueDim), lse = tensors.Poison(DType.F32, heads, tokens + Padding);
        var args = new FlashVarlenArgs
        {
            Spec = Spec,
            Query = query,
            QueryRope = queryRope,
            Key = key,
            KeyRope = keyRope,
            Value = value,
            CuSeqlensQ = Offsets(rows.Select(r => Rows[r].QueryLen)),
            CuSeqlensK = Offsets(rows.Select(r => Rows[r].KeyLen)),
            QueryPositions = rows.All(r => Rows[r].QueryPosition == Rows[r].KeyPosition + Rows[r].KeyLen - Rows[r].QueryLen) ? default : tensors.I32([.. rows.Select(r => Rows[r].QueryPosition)], rows.Count),
            KeyPositions = rows.All(r => Rows[r].KeyPosition == 0) ? default : tensors.I32([.. rows.Select(r => Rows[r].KeyPosition)], rows.Count),
            NumRows = rows.Count,
            MaxQueryLen = rows.Count == 0 ? 0 : rows.Max(r => Rows[r].QueryLen),
            MaxKeyLen = rows.Count == 0 ? 0 : rows.Max(r => Rows[r].KeyLen),
            Causal = Causal,
            Sinks = Sinks is null ? default : tensors.F32(Sinks, Sinks.Length),
            AlibiSlopes = Slopes is null ? default : tensors.F32(Slopes, Slopes.Length),
            Output = output,
            Lse = lse,
        };
        IAttentionKernels kernels = tensors.Device.AttentionKernels;
        using DeviceContext context = tensors.Device.CreateContext(kernels.FlashVarlenScratchBytes(Spec, new BatchLimits(tokens, rows.Count, Math.Max(1, args.MaxKeyLen)), keys));
        if (packed) kernels.FlashVarlenPacked(context, args);
        else kernels.FlashVarlen(context, args);
        context.Synchronize();
        return (output, lse);

        TensorView Offsets(IEnumerable<int> lengths)
        {
            var offsets = new List<int> { 0 };
            foreach (int length in lengths) offsets.Add(offsets[^1] + length);
            return tensors.I32([.. offsets], offsets.Count);
        }
    }

    private FlashCase(FlashCase whole, bool causal, float[]? sinks, IReadOnlyList<(int First, int Count)> parts)
    {
        _device = whole._device;
        Spec = whole.Spec;
        RopeDim = whole.RopeDim;
        Causal = causal;
        Sinks = sinks;
        Slopes = whole.Slopes;
        Rows = [.. whole.Rows.Select((r, i) => r with { KeyPosition = r.KeyPosition + parts[i].First, KeyLen = parts[i].Count })];
        _queries = whole._queries;
        _keys = [.. whole._keys.Select((k, i) => Cut(k, Spec.NumKvHeads * Spec.HeadDim, parts[i]))];
        _values = [.. whole._values.Select((v, i) => Cut(v, Spec.NumKvHeads * Spec.VHeadDim, parts[i]))];

        static float[] Cut(float[] x, int width, (int First, int Count) part) => x.AsSpan(part.First * width, part.Count * width).ToArray();
    }

    private OracleAttention Oracle(float[]? sinks, DType? weightType, int weightTile) => new()
    {
        WeightType = weightType,
        WeightTile = weightTile,
        NumQoHeads = Spec.NumQoHeads,
        NumKvHeads = Spec.NumKvHeads,
        HeadDim = Spec.HeadDim,
        VHeadDim = Spec.VHeadDim,
        Scale = Spec.SoftmaxScale,
        SoftCap = Spec.LogitsSoftCap,
        Window = Spec.SlidingWindow,
        Sinks = sinks,
        AlibiSlopes = Slopes,
    };

    private bool IsSeen(FlashRowCase row, int position) => Enumerable.Range(row.QueryPosition, row.QueryLen).Any(q =>
        (!Causal || position <= q) && (Spec.SlidingWindow is not { } w || q - position < w));

    private Span<float> KeyHead(int row, int key, int head) =>
        _keys[row].AsSpan(((key * Spec.NumKvHeads) + head) * Spec.HeadDim, Spec.HeadDim);

    /// <summary>Elements [first, first + count) of every <paramref name="width"/>.</summary>
    private static float[] Part(float[] x, int width, int first, int count) =>
        [.. Enumerable.Range(0, x.Length / width).SelectMany(i => x.AsSpan((i * width) + first, count).ToArray())];

    /// <summary>[tokens, heads, dim] as the front of [tokens, heads, dim + gap], with NaN in the gap and in missing tokens. GPUs: the gap is whole vectors.</summary>
    private static TensorView Columns(PoisonedTensors tensors, float[] values, int tokens, int heads, int dim, int gap)
    {
        if (tensors.Activation != DType.F32) gap = (gap + 7) / 8 * 8;
        var wide = new float[tokens * heads * (dim + gap)];
        Array.Fill(wide, float.NaN);
        for (int i = 0; i < values.Length / dim; i++) values.AsSpan(i * dim, dim).CopyTo(wide.AsSpan(i * (dim + gap)));
        return tensors.Activations(wide, tokens, heads, dim + gap).Slice(2, 0, dim);
    }
}
