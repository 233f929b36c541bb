namespace Rocm.Inference.Models;

/// <summary>Which slice of a model this process holds. Version 1 runs on one device: rank 0 of a world of 1.</summary>
internal readonly record struct ParallelContext
{
    /// <param name="rank">Index of this slice, in [0, world).</param>
    /// <param name="world">Number of slices.</param>
    /// <exception cref="NotSupportedException">The world is not 1.</exception>
    public ParallelContext(int rank, int world)
    {
        if (world != 1) throw new NotSupportedException($"Tensor parallelism is not supported yet: the world must be 1, not {world}.");
        ArgumentOutOfRangeException.ThrowIfNotEqual(rank, 0);
        Rank = rank;
        World = world;
    }

    /// <summary>The whole model on one device.</summary>
    public static ParallelContext Single { get; } = new(0, 1);

    public int Rank { get; }

    public int World { get; }
}
