namespace Rocm.Inference.Native.Aiter;

/// <summary>An MLA kernel (mla_asm.csv), sections 5 and 6.</summary>
internal sealed record AiterMlaRow
{
    private static readonly string[] _columns = ["qType", "kvType", "Gqa", "ps", "qSeqLen", "prefill", "causal", "lse", "cprr"];

    public required AiterDType Query { get; init; }

    public required AiterDType Cache { get; init; }

    /// <summary>Query heads.</summary>
    public required int Heads { get; init; }

    public required bool Persistent { get; init; }

    /// <summary>Query tokens of a sequence at most; 0 for any number.</summary>
    public required int QueryLength { get; init; }

    public required bool Prefill { get; init; }

    public required bool Causal { get; init; }

    /// <summary>Persistent kernels: writes the final LSE too.</summary>
    public required bool Lse { get; init; }

    public required bool ContextParallel { get; init; }

    public required AiterObject Object { get; init; }

    internal static AiterMlaRow? Read(AiterManifestRow row, out string defect)
    {
        defect = AiterRowReader.Check(row, _columns);
        if (defect.Length > 0) return null;
        var cells = new AiterRowReader(row);
        AiterDType query = cells.Type("qType"), cache = cells.Type("kvType");
        int heads = cells.Number("Gqa"), persistent = cells.Number("ps"), length = cells.Number("qSeqLen"), prefill = cells.Number("prefill");
        int causal = cells.Number("causal"), lse = cells.Number("lse"), parallel = cells.Number("cprr");
        defect = cells.Bad ?? (Math.Max(Math.Max(persistent, prefill), Math.Max(Math.Max(causal, lse), parallel)) > 1 ? "ps, prefill, causal, lse or cprr is neither 0 nor 1" : "");
        if (defect.Length > 0) return null;
        return new AiterMlaRow
        {
            Query = query, Cache = cache, Heads = heads, Persistent = persistent == 1, QueryLength = length, Prefill = prefill == 1, Causal = causal == 1,
            Lse = lse == 1, ContextParallel = parallel == 1, Object = row.Object,
        };
    }
}
