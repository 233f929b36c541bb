using Rocm.Inference.TestKit;

namespace Rocm.Inference.Conformance.Attention.Backends;

/// <summary>
/// Random operands of some requests, the same for every backend that runs them, and what attention must give for each token: the oracle over the
/// keys and values that a cache of the spec's element type holds.
/// </summary>
internal sealed class AttentionRequests
{
    private readonly Dictionary<(int Request, int Position), double[]> _expected = [];
    private readonly StoredElements _stored;
    private readonly float[][] _query, _queryRope, _key, _keyRope, _value;
    private readonly double[][] _oracleKeys, _oracleValues;
    private readonly float[][] _oracleQueries;

    /// <param name="spec">The layer group.</param>
    /// <param name="lengths">Tokens of each request.</param>
    /// <param name="seed">Seed of everything random.</param>
    /// <param name="scales">Scales of an fp8 cache: [1] or one per KV head; null for some.</param>
    /// <param name="keySize">Size of keys (MLA: of their rotary part) beside that of everything else.</param>
    public AttentionRequests(AttentionSpec spec, IReadOnlyList<int> lengths, int seed, float[]? scales = null, double keySize = 1)
    {
        var random = new TestRandom(seed);
        Spec = spec;
        Lengths = lengths;
        _stored = new StoredElements(spec.KvDType);
        IsMla = spec.Kind == AttentionKind.Mla;
        Sinks = spec.HasSinks ? random.Floats(spec.NumQoHeads, 2) : null;
        Slopes = spec.HasAlibi ? [.. Enumerable.Range(0, spec.NumQoHeads).Select(h => (float)Math.Pow(2, -8.0 * (h + 1) / spec.NumQoHeads))] : null;
        if (spec.HasKvScales && scales is not null)
        {
            KeyScales = scales;
            ValueScales = IsMla ? null : scales;
        }
        else if (spec.HasKvScales)
        {
            KeyScales = random.Chance(0.5) || IsMla ? [0.37f] : [.. Enumerable.Range(0, spec.NumKvHeads).Select(h => 0.21f + (0.13f * h))];
            if (!IsMla) ValueScales = random.Chance(0.5) ? [1.7f] : [.. Enumerable.Range(0, spec.NumKvHeads).Select(h => 0.5f + (0.3f * h))];
        }

        if (IsMla) Weights = new MlaWeights(random, spec);
        int count = lengths.Count;
        (_query, _queryRope, _key, _keyRope, _value) = (new float[count][], new float[count][], new float[count][], new float[count][], new float[count][]);
        (_oracleKeys, _oracleValues, _oracleQueries) = (new double[count][], new double[count][], new float[count][]);
        for (int r = 0; r < count; r++)
        {
            _query[r] = random.Floats((long)lengths[r] * spec.NumQoHeads * QueryDim);
            _queryRope[r] = random.Floats((long)lengths[r] * spec.NumQoHeads * spec.QkRopeHeadDim);
            _key[r] = random.Floats((long)lengths[r] * spec.NumKvHeads * KeyDim, IsMla ? 1 : keySize);
            _keyRope[r] = random.Floats((long)lengths[r] * spec.QkRopeHeadDim, keySize);
            _value[r] = random.Floats(IsMla ? 0 : (long)lengths[r] * spec.NumKvHeads * spec.VHeadDim);
            if (IsMla) Expand(r);
            else
            {
                _oracleQueries[r] = _query[r];
                _oracleKeys[r] = Rounded(_key[r], KeyDim, KeyScales);
                _oracleValues[r] = Rounded(_value[r], spec.VHeadDim, ValueScales);
            }
        }
    }

    public AttentionSpec Spec { get; }

    public IReadOnlyList<int> Lengths { get; }

    public bool IsMla { get; }

    public float[]? Sinks { get; }

    public float[]? Slopes { get; }

    public float[]? KeyScales { get; }

    public float[]? ValueScales { get; }

    public MlaWeights? Weights { get; }

    /// <summary>Width of a head of the first query operand: D, or MLA's unrotated part.</summary>
    public int QueryDim => IsMla ? Spec.QkNopeHeadDim : Spec.HeadDim;

    /// <summary>Width of a KV head of the key operand: D, or MLA's latent.</summary>
    public int KeyDim => IsMla ? Spec.KvLoraRank : Spec.HeadDim;

    public ReadOnlySpan<float> Query(int request, int first, int count) => Part(_query[request], Spec.NumQoHeads * QueryDim, first, count);

    public ReadOnlySpan<float> QueryRope(int request, int first, int count) => Part(_queryRope[request], Spec.NumQoHeads * Spec.QkRopeHeadDim, first, count);

    public ReadOnlySpan<float> Key(int request, int first, int count) => Part(_key[request], Spec.NumKvHeads * KeyDim, first, count);

    public ReadOnlySpan<float> KeyRope(int request, int first, int count) => Part(_keyRope[request], Spec.QkRopeHeadDim, first, count);

    public ReadOnlySpan<float> Value(int request, int first, int count) => Part(_value[request], Spec.NumKvHeads * Spec.VHeadDim, first, count);

    /// <summary>[count, NumQoHeads, VHeadDim] by the oracle.</summary>
    public double[] Expected(int request, int first, int count)
    {
        var result = new List<double>();
        for (int position = first; position < first + count; position++)
        {
            if (!_expected.TryGetValue((request, position), out double[]? row))
            {
                row = Attend(request, position);
                _expected[(request, position)] = row;
            }

            result.AddRange(row);
        }

        return [.. result];
    }

    private static ReadOnlySpan<float> Part(float[] values, int width, int first, int count) => values.AsSpan(first * width, count * width);

    private double[] Attend(int request, int position)
    {
        var oracle = new OracleAttention
        {
            NumQoHeads = Spec.NumQoHeads,
            NumKvHeads = IsMla ? Spec.NumQoHeads : Spec.NumKvHeads,
            HeadDim = Spec.HeadDim,
            VHeadDim = Spec.VHeadDim,
            Scale = Spec.SoftmaxScale,
            SoftCap = Spec.LogitsSoftCap,
            Window = Spec.SlidingWindow,
            Sinks = Sinks,
            AlibiSlopes = Slopes,
        };
        int width = Spec.NumQoHeads * Spec.HeadDim;
        return oracle.Attend(_oracleQueries[request].AsSpan(position * width, width), position, _oracleKeys[request], _oracleValues[request]);
    }

    private double[] Rounded(float[] values, int dim, float[]? scales)
    {
        var rounded = new double[values.Length];
        for (int i = 0; i < values.Length; i++)
        {
            float scale = scales is null ? 1 : scales[scales.Length == 1 ? 0 : i / dim % Spec.NumKvHeads];
            rounded[i] = _stored.Round(values[i] / scale) * scale;
        }

        return rounded;
    }

    /// <summary>MLA by its definition: every head's keys and values from the stored latents, the rotary part shared.</summary>
    private void Expand(int r)
    {
        int length = Lengths[r], heads = Spec.NumQoHeads, nope = Spec.QkNopeHeadDim, rope = Spec.QkRopeHeadDim;
        double[] latents = Rounded(_key[r], KeyDim, KeyScales), ropes = Rounded(_keyRope[r], Math.Max(1, rope), KeyScales);
        _oracleKeys[r] = new double[length * heads * Spec.HeadDim];
        _oracleValues[r] = new double[length * heads * Spec.VHeadDim];
        _oracleQueries[r] = new float[length * heads * Spec.HeadDim];
        for (int t = 0; t < length; t++)
        {
            double[] expanded = Weights!.Expand(latents.AsSpan(t * KeyDim, KeyDim));
            for (int h = 0; h < heads; h++)
            {
                int key = ((t * heads) + h) * Spec.HeadDim, value = ((t * heads) + h) * Spec.VHeadDim, source = h * (nope + Spec.VHeadDim);
                expanded.AsSpan(source, nope).CopyTo(_oracleKeys[r].AsSpan(key));
                ropes.AsSpan(t * rope, rope).CopyTo(_oracleKeys[r].AsSpan(key + nope));
                expanded.AsSpan(source + nope, Spec.VHeadDim).CopyTo(_oracleValues[r].AsSpan(value));
                _query[r].AsSpan(((t * heads) + h) * nope, nope).CopyTo(_oracleQueries[r].AsSpan(key));
                _queryRope[r].AsSpan(((t * heads) + h) * rope, rope).CopyTo(_oracleQueries[r].AsSpan(key + nope));
            }
        }
    }
}
