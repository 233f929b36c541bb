namespace Rocm.Inference.Native.Aiter;

/// <summary>A forward attention kernel over contiguous keys and values (fmha_fwd.csv), section 7.</summary>
internal sealed record AiterFlashRow
{
    private static readonly string[] _columns = ["dtype", "hdim_q", "hdim_v", "mask", "mode", "bf16_cvt", "ts_qo", "ts_kv"];

    /// <summary>Type of query, key and value; the output is bf16.</summary>
    public required AiterDType Input { get; init; }

    public required int QueryDim { get; init; }

    public required int ValueDim { get; init; }

    /// <summary>Causal from the bottom right: the last query sees the last key.</summary>
    public required bool Causal { get; init; }

    /// <summary>Sequences of different lengths by offsets; otherwise a batch of equal ones.</summary>
    public required bool Group { get; init; }

    /// <summary>How gfx942 rounds probabilities to bf16: 0 to nearest even, 1 to nearest away from zero, 2 towards zero.</summary>
    public required int Rounding { get; init; }

    /// <summary>Query rows of a tile.</summary>
    public required int QueryTile { get; init; }

    public required int KeyTile { get; init; }

    public required AiterObject Object { get; init; }

    internal static AiterFlashRow? Read(AiterManifestRow row, out string defect)
    {
        defect = AiterRowReader.Check(row, _columns);
        if (defect.Length > 0) return null;
        var cells = new AiterRowReader(row);
        AiterDType input = row.Text("dtype") == "fp8bf16" ? AiterDType.Fp8 : cells.Type("dtype");
        int query = cells.Number("hdim_q"), value = cells.Number("hdim_v"), mask = cells.Number("mask"), mode = cells.Number("mode");
        int rounding = cells.Number("bf16_cvt"), queryTile = cells.Number("ts_qo"), keyTile = cells.Number("ts_kv");
        defect = cells.Bad ?? (mask is not (0 or 2) || mode > 1 || rounding > 2 || queryTile is 0 or > 4096 || keyTile is 0 or > 4096 ? "mask, mode, bf16_cvt, ts_qo or ts_kv is out of its range" : "");
        if (defect.Length > 0) return null;
        return new AiterFlashRow
        {
            Input = input, QueryDim = query, ValueDim = value, Causal = mask == 2, Group = mode == 1, Rounding = rounding, QueryTile = queryTile,
            KeyTile = keyTile, Object = row.Object,
        };
    }
}
