namespace Rocm.Inference.Native.Aiter;

/// <summary>What persistent kernels of either family take besides queries and cache: a plan in device memory, and where partials go.</summary>
internal readonly record struct AiterPersistentArguments
{
    /// <summary>First item of every block of the grid, int32 [workers + 1].</summary>
    public required nint WorkOffsets { get; init; }

    /// <summary>
    /// Items, int32 [items, 8]: sequence; row of the partial or -1; first and last + 1 query row; first and last + 1 page, as indices into the packed page numbers;
    /// tokens that follow in the sequence (MLA); first query head in the low and last + 1 in the high 16 bits. A stretch of which a query sees nothing gives garbage.
    /// </summary>
    public required nint WorkItems { get; init; }

    /// <summary>float [rows, heads, value dimension], each normalized within its stretch.</summary>
    public required nint Partials { get; init; }

    /// <summary>float [rows, heads], natural logarithm.</summary>
    public required nint PartialLse { get; init; }

    /// <summary>Blocks of the grid: the device's compute units.</summary>
    public required int Workers { get; init; }
}
