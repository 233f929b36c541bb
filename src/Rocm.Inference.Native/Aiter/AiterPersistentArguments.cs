namespace Rocm.Inference.Native.Aiter;

/// <summary>What persistent kernels of either family take besides queries and cache: a plan in device memory, and where partials go.</summary>
internal readonly record struct AiterPersistentArguments
{
    /// <summary><see cref="AiterWorkPlan.WorkOffsets"/>.</summary>
    public required nint WorkOffsets { get; init; }

    /// <summary><see cref="AiterWorkPlan.Items"/>.</summary>
    public required nint WorkItems { get; init; }

    /// <summary>float [rows, heads, value dimension], each normalized within its stretch.</summary>
    public required nint Partials { get; init; }

    /// <summary>float [rows, heads], natural logarithm.</summary>
    public required nint PartialLse { get; init; }

    /// <summary>Blocks of the grid, <see cref="AiterWorkPlan.Workers"/>.</summary>
    public required int Workers { get; init; }
}
