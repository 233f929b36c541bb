namespace Rocm.Inference.Native.Aiter;

/// <summary>A paged-attention kernel (pa_asm.csv), section 3.4 and 4 of AITER's binary interface as this library reads it.</summary>
internal sealed record AiterPagedRow
{
    private static readonly string[] _columns = ["qType", "kvType", "Gqa", "Mtp", "Msk", "Hp", "blkSz", "ps", "qTile", "quant_type"];

    public required AiterDType Query { get; init; }

    public required AiterDType Cache { get; init; }

    /// <summary>Query heads per KV head that the kernel has room for; 0 in persistent rows.</summary>
    public required int Gqa { get; init; }

    /// <summary>0 for one query token a sequence, 1 for 1 to 4 by the query offsets, 12 to 14 for exactly 2 to 4.</summary>
    public required int Mtp { get; init; }

    /// <summary>Causal among the query tokens.</summary>
    public required bool Causal { get; init; }

    /// <summary>Precision of the product with fp8 values: 0 normal, 1 high, 2 higher.</summary>
    public required int Precision { get; init; }

    public required int BlockSize { get; init; }

    public required bool Persistent { get; init; }

    /// <summary>Persistent kernels: rows (query heads times tokens) of a tile.</summary>
    public required int QueryTile { get; init; }

    /// <summary>Persistent kernels: 2 scales per token, 6 and 7 per block of 256 and 1024.</summary>
    public required int QuantType { get; init; }

    public required AiterObject Object { get; init; }

    internal static AiterPagedRow? Read(AiterManifestRow row, out string defect)
    {
        defect = AiterRowReader.Check(row, _columns);
        if (defect.Length > 0) return null;
        var cells = new AiterRowReader(row);
        AiterDType query = cells.Type("qType"), cache = cells.Type("kvType");
        int gqa = cells.Number("Gqa"), mtp = cells.Number("Mtp"), mask = cells.Number("Msk"), precision = cells.Number("Hp"), block = cells.Number("blkSz");
        int persistent = cells.Number("ps"), tile = cells.Number("qTile"), quant = cells.Number("quant_type");
        defect = cells.Bad ?? (mask > 1 || persistent > 1 || precision > 2 || block == 0 ? "Msk, ps, Hp or blkSz is out of its range" : "");
        if (defect.Length > 0) return null;
        return new AiterPagedRow
        {
            Query = query, Cache = cache, Gqa = gqa, Mtp = mtp, Causal = mask == 1, Precision = precision, BlockSize = block, Persistent = persistent == 1,
            QueryTile = tile, QuantType = quant, Object = row.Object,
        };
    }
}
