namespace CustomAttentionBackend;

/// <summary>Where the attention of a model's layers lies, over all tokens and heads so far. Written by the engine's thread, read by any.</summary>
internal sealed class AttentionStatistics
{
    private readonly Lock _lock = new();
    private readonly SortedDictionary<int, WeightSums> _layers = [];

    /// <summary>The layers seen so far, in model order, with their averages.</summary>
    public IReadOnlyList<LayerStatistics> Layers
    {
        get
        {
            lock (_lock) return [.. _layers.Select(layer => layer.Value.Average(layer.Key))];
        }
    }

    public void Record(int layer, in WeightSums sums)
    {
        lock (_lock)
        {
            _layers.TryGetValue(layer, out WeightSums before);
            _layers[layer] = before + sums;
        }
    }
}

/// <summary>Averages over tokens and heads of one layer.</summary>
/// <param name="Layer">Index in the model.</param>
/// <param name="Count">Softmax rows: tokens times heads.</param>
/// <param name="EntropyBits">Entropy of the weights; n equal weights have log2(n) bits.</param>
/// <param name="Distance">How many tokens back the weight lies on average.</param>
/// <param name="OnFirst">Share of the weight on the first visible token, where many models park what they do not need.</param>
/// <param name="OnSelf">Share of the weight on the token itself.</param>
internal sealed record LayerStatistics(int Layer, long Count, double EntropyBits, double Distance, double OnFirst, double OnSelf);

/// <summary>Sums over softmax rows.</summary>
internal record struct WeightSums
{
    private long _count;
    private double _entropyBits;
    private double _distance;
    private double _onFirst;
    private double _onSelf;

    public static WeightSums operator +(WeightSums a, WeightSums b) => new()
    {
        _count = a._count + b._count,
        _entropyBits = a._entropyBits + b._entropyBits,
        _distance = a._distance + b._distance,
        _onFirst = a._onFirst + b._onFirst,
        _onSelf = a._onSelf + b._onSelf,
    };

    /// <summary>Adds the weights of one token and head: of consecutive keys, the last of which is the token itself.</summary>
    public void Add(ReadOnlySpan<float> weights)
    {
        for (int i = 0; i < weights.Length; i++)
        {
            double weight = weights[i];
            if (weight > 0) _entropyBits -= weight * Math.Log2(weight);
            _distance += weight * (weights.Length - 1 - i);
        }

        _count++;
        _onFirst += weights[0];
        _onSelf += weights[^1];
    }

    public readonly LayerStatistics Average(int layer) =>
        new(layer, _count, _entropyBits / _count, _distance / _count, _onFirst / _count, _onSelf / _count);
}
