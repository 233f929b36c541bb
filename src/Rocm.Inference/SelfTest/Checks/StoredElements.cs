using Rocm.Inference.SelfTest.Reference;

namespace Rocm.Inference.SelfTest.Checks;

/// <summary>
/// Compares elements of a cache with the values that were stored. An element is right when it is the nearest one to a value within the rounding of the
/// activation type: half a step of the cache's type, and what came before.
/// </summary>
/// <param name="activation">Type of what was stored.</param>
/// <param name="dtype">Type of the cache.</param>
/// <param name="scale">Stored element · scale = value.</param>
internal sealed class StoredElements(DType activation, DType dtype, double scale)
{
    // What rotation in single precision leaves of operands of about 1, however much of them cancels.
    private const double SinglePrecision = 2e-6;

    private readonly Dictionary<HostTensor, bool[]> _seen = [];
    private readonly double _before = activation switch { DType.BF16 => 1.0 / 256, DType.F16 => 1.0 / 2048, _ => 0 };

    /// <summary>The largest error in units of the allowed one.</summary>
    public double Worst { get; private set; }

    /// <summary>Looks at one element.</summary>
    /// <param name="cache">K or V.</param>
    /// <param name="index">Its place.</param>
    /// <param name="value">What was stored.</param>
    /// <param name="readBack">What the op says the cache now holds of it, or null.</param>
    public void Add(HostTensor cache, long index, double value, double? readBack)
    {
        SeenOf(cache)[index] = true;
        double element = cache[index], expected = value / scale;

        // 8-bit floats saturate: nothing is drawn that large, so that a step is always that of the value.
        double slack = (_before * Math.Abs(expected)) + (SinglePrecision / scale);
        Meet(expected, element, (1.01 * ReferenceNumbers.HalfStep(dtype, Math.Abs(expected) + slack)) + slack);
        if (readBack is { } held) Meet(element * scale, held, (1.01 * ReferenceNumbers.HalfStep(activation, element * scale)) + (1e-6 * Math.Abs(element * scale)));
    }

    /// <summary>True when every element that was not looked at is as it was.</summary>
    public bool OthersKept(HostTensor cache, HostTensor before)
    {
        bool[] seen = SeenOf(cache);
        for (long i = 0; i < cache.Count; i++)
        {
            if (cache.GetBits(i) != before.GetBits(i) && !seen[i]) return false;
        }

        return true;
    }

    private bool[] SeenOf(HostTensor cache)
    {
        if (!_seen.TryGetValue(cache, out bool[]? seen)) _seen.Add(cache, seen = new bool[cache.Count]);
        return seen;
    }

    private void Meet(double expected, double actual, double allowed)
    {
        double share = expected.Equals(actual) ? 0 : Math.Abs(expected - actual) / allowed;
        Worst = double.IsNaN(share) ? double.PositiveInfinity : Math.Max(Worst, share);
    }
}
