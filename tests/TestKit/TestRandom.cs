namespace Rocm.Inference.TestKit;

/// <summary>Seeded operands.</summary>
internal sealed class TestRandom(int seed)
{
    private readonly Random _random = new(seed);

    public int Seed { get; } = seed;

    public int Next(int minInclusive, int maxExclusive) => _random.Next(minInclusive, maxExclusive);

    public T Pick<T>(params ReadOnlySpan<T> choices) => choices[_random.Next(choices.Length)];

    public bool Chance(double probability) => _random.NextDouble() < probability;

    /// <summary>Roughly normal values.</summary>
    public float[] Floats(long count, double scale = 1)
    {
        var values = new float[count];
        for (int i = 0; i < values.Length; i++) values[i] = (float)(scale * (_random.NextDouble() + _random.NextDouble() + _random.NextDouble() - 1.5) * 2);
        return values;
    }
}
