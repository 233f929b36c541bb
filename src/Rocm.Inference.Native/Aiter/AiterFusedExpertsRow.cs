namespace Rocm.Inference.Native.Aiter;

/// <summary>Gated experts in one kernel, fp8 with scales of blocks, SiLU (fmoe_bf16_blockscaleFp8_g1u1_silu.csv), section 8.2 of AITER's binary interface.</summary>
internal sealed record AiterFusedExpertsRow
{
    private static readonly string[] _columns = ["atm", "vskip", "smf", "tg_num_perCU", "ps", "subGU_m", "subGU_n", "flat"];

    /// <summary>Instructions are skipped by the mode of a wave, which no emulator here does.</summary>
    public required bool SkipsVectorInstructions { get; init; }

    /// <summary>A fixed grid works through all tiles.</summary>
    public required bool Persistent { get; init; }

    /// <summary>Rows are sorted in the kernel; 0: by the caller.</summary>
    public required int Flat { get; init; }

    /// <summary>Rows of a block of one expert.</summary>
    public required int TileRows { get; init; }

    /// <summary>Of the width between the two products.</summary>
    public required int TileInner { get; init; }

    public required AiterObject Object { get; init; }

    internal static AiterFusedExpertsRow? Read(AiterManifestRow row, out string defect)
    {
        defect = AiterRowReader.Check(row, _columns);
        if (defect.Length > 0) return null;
        var cells = new AiterRowReader(row);
        int atomics = cells.Number("atm"), smooth = cells.Number("smf"), persistent = cells.Number("ps"), flat = cells.Number("flat");
        int skip = cells.Number("vskip"), rows = cells.Number("subGU_m"), inner = cells.Number("subGU_n");
        defect = cells.Bad ?? (atomics != 0 || smooth != 0 ? "atm or smf is not 0" : persistent > 1 || skip > 1 || rows is 0 or > 4096 || inner is 0 or > 4096 ? "ps, vskip, subGU_m or subGU_n is out of its range" : "");
        if (defect.Length > 0) return null;
        return new AiterFusedExpertsRow { SkipsVectorInstructions = skip == 1, Persistent = persistent == 1, Flat = flat, TileRows = rows, TileInner = inner, Object = row.Object };
    }
}
