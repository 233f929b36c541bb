namespace Rocm.Inference.Native.Aiter;

/// <summary>A product of fp8 matrices with scales of blocks (fp8gemm_bf16_blockscale.csv), section 8.3 of AITER's binary interface.</summary>
internal sealed record AiterScaledGemmRow
{
    private static readonly string[] _columns = ["tile_m", "tile_n", "splitK", "bpreshuffle"];

    /// <summary>Rows of a tile of the output.</summary>
    public required int TileRows { get; init; }

    /// <summary>Columns of a tile of the output.</summary>
    public required int TileColumns { get; init; }

    /// <summary>Weights are laid out as <see cref="AiterScaledWeight"/> does.</summary>
    public required bool WantsShuffledWeight { get; init; }

    public required AiterObject Object { get; init; }

    internal static AiterScaledGemmRow? Read(AiterManifestRow row, out string defect)
    {
        defect = AiterRowReader.Check(row, _columns);
        if (defect.Length > 0) return null;
        var cells = new AiterRowReader(row);
        int rows = cells.Number("tile_m"), columns = cells.Number("tile_n"), split = cells.Number("splitK"), shuffle = cells.Number("bpreshuffle");
        defect = cells.Bad ?? (rows is 0 or > 4096 || columns is 0 or > 4096 || split > 1 || shuffle > 1 ? "tile_m, tile_n, splitK or bpreshuffle is out of its range" : "");
        if (defect.Length > 0) return null;
        return new AiterScaledGemmRow { TileRows = rows, TileColumns = columns, WantsShuffledWeight = shuffle == 1, Object = row.Object };
    }
}
