using Rocm.Inference.Devices;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Conformance.Devices;

/// <summary>Random weights of several experts, each in one or two stacked matrices; some have a bias.</summary>
internal sealed class GroupFixture : IDisposable
{
    private readonly List<WeightFixture> _fixtures = [];

    public GroupFixture(TestRandom random, DType dtype, int count, int rows, int columns)
    {
        Values = new double[count][];
        Biases = new float[count][];
        Sources = new WeightSource[count];
        bool anyBias = random.Chance(0.5);
        for (int e = 0; e < count; e++)
        {
            int first = rows > 1 && random.Chance(0.5) ? random.Next(1, rows) : rows;
            var parts = new List<WeightFixture> { new(random, dtype, first, columns) };
            if (first < rows) parts.Add(new WeightFixture(random, dtype, rows - first, columns));
            _fixtures.AddRange(parts);
            Values[e] = [.. parts.SelectMany(p => p.Values)];
            Biases[e] = anyBias && random.Chance(0.8) ? random.Floats(rows) : null;
            Sources[e] = new WeightSource(parts.Select(p => p.Matrix).ToArray(), Biases[e]);
        }
    }

    /// <summary>[rows, columns] of each expert.</summary>
    public double[][] Values { get; }

    public float[]?[] Biases { get; }

    public WeightSource[] Sources { get; }

    public PackedWeightGroup Pack(IDevice device) => device.PackGroup(Sources);

    public void Dispose()
    {
        foreach (WeightFixture fixture in _fixtures) fixture.Dispose();
    }
}
