namespace Rocm.Inference.Native.Aiter;

/// <summary>
/// One launch of gated experts: addresses in device memory, aligned to 16 bytes. The kernels load ahead of what they use: behind weights 64 KiB and behind their
/// scales 16 KiB have to be readable, whatever they hold.
/// </summary>
internal readonly record struct AiterFusedExpertsArguments
{
    /// <summary>bf16 [tokens, width], zeros: results are added to it, rounded each time, in no fixed order.</summary>
    public required nint Output { get; init; }

    /// <summary>fp8 [tokens, width], and one row more that can be read: rows that only fill up a tile are read, too.</summary>
    public required nint Input { get; init; }

    /// <summary>float [width / 128, tokens], and 2 tokens + 1 more that can be read: the kernels run ahead of the inputs by two groups.</summary>
    public required nint InputScales { get; init; }

    /// <summary>fp8 [experts, 2 inner, width], gate before up, each expert as <see cref="AiterScaledWeight"/> lays it out.</summary>
    public required nint GateUp { get; init; }

    /// <summary>float [experts, 2 inner / 128, width / 128].</summary>
    public required nint GateUpScales { get; init; }

    /// <summary>fp8 [experts, width, inner].</summary>
    public required nint Down { get; init; }

    /// <summary>float [experts, width / 128, inner / 128].</summary>
    public required nint DownScales { get; init; }

    /// <summary>
    /// Rows by expert, int32: token in the low 24 bits, which of its choices in the 8 above. Every expert's rows end at a multiple of the tile, filled up with
    /// (choices, tokens).
    /// </summary>
    public required nint SortedRows { get; init; }

    /// <summary>Factors of those rows, float.</summary>
    public required nint SortedWeights { get; init; }

    /// <summary>Expert of each tile of rows, int32.</summary>
    public required nint TileExperts { get; init; }

    /// <summary>Rows with what fills them up, int32.</summary>
    public required nint RowCount { get; init; }

    public required int Tokens { get; init; }

    /// <summary>Tiles of rows that the grid has, at least as many as there are.</summary>
    public required int Tiles { get; init; }
}
