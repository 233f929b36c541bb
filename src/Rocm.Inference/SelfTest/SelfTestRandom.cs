namespace Rocm.Inference.SelfTest;

/// <summary>Seeded operands: SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).</summary>
internal sealed class SelfTestRandom(ulong seed)
{
    // Drawing elements from a pool of encoded values is as random as a test needs, and a hundred times as fast as encoding each.
    private const int PoolSize = 1 << 16;

    private ulong _state = seed;
    private ulong _picks;
    private int _numPicks;

    public ulong NextBits()
    {
        ulong z = _state += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    /// <summary>An integer in [min, end).</summary>
    public int Next(int min, int end) => min + (int)(((UInt128)NextBits() * (ulong)(end - min)) >> 64);

    /// <summary>Roughly normal, of variance 1.</summary>
    public double Normal()
    {
        double sum = 0;
        for (int i = 0; i < 3; i++) sum += NextBits() >> 11;
        return (sum / (1UL << 53) * 2) - 3;
    }

    public float[] Floats(int count, double scale = 1)
    {
        var values = new float[count];
        for (int i = 0; i < count; i++) values[i] = (float)(Normal() * scale);
        return values;
    }

    /// <summary>Roughly normal elements that the type holds exactly.</summary>
    public HostTensor Tensor(DType dtype, double scale, params ReadOnlySpan<long> shape)
    {
        var tensor = new HostTensor(dtype, shape);
        uint[] pool = Pool(dtype, scale, tensor.Count);
        for (long i = 0; i < tensor.Count; i++) tensor.SetBits(i, Pick(pool));
        return tensor;
    }

    /// <summary>An element of a pool.</summary>
    public uint Pick(uint[] pool)
    {
        // One draw of 64 bits is four of 16.
        if (_numPicks == 0) (_picks, _numPicks) = (NextBits(), 4);
        _numPicks--;
        uint index = (uint)_picks & (PoolSize - 1);
        _picks >>= 16;
        return pool[index & (pool.Length - 1)];
    }

    /// <summary>Encoded values to draw elements from.</summary>
    /// <param name="dtype">Element type.</param>
    /// <param name="scale">Standard deviation.</param>
    /// <param name="count">How many will be drawn.</param>
    public uint[] Pool(DType dtype, double scale, long count = PoolSize)
    {
        uint[] pool = new uint[count < PoolSize ? 1024 : PoolSize];
        for (int i = 0; i < pool.Length; i++) pool[i] = Reference.ReferenceNumbers.Encode(dtype, Normal() * scale);
        return pool;
    }

    /// <summary>0 … count − 1 in random order (Fisher and Yates).</summary>
    public int[] Permutation(int count)
    {
        int[] order = [.. Enumerable.Range(0, count)];
        for (int i = count - 1; i > 0; i--)
        {
            int other = Next(0, i + 1);
            (order[i], order[other]) = (order[other], order[i]);
        }

        return order;
    }
}
