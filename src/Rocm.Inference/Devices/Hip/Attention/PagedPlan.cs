namespace Rocm.Inference.Devices.Hip.Attention;

/// <summary>What a group of waves takes at once of a row's keys; its partial results are merged afterwards.</summary>
internal enum PagedUnit
{
    /// <summary>512 keys at multiples of 512.</summary>
    Span,

    /// <summary>16 spans.</summary>
    Stretch,

    /// <summary>All keys: nothing is left to merge.</summary>
    Row,
}

/// <summary>
/// How a launch of paged attention is shared out. It follows from the bounds of a step, not from the lengths of its rows: a captured launch stays right while
/// these grow, because groups find their units on the device.
/// </summary>
internal readonly record struct PagedPlan
{
    private const int SpanKeys = 512;
    private const int StretchKeys = 16 * SpanKeys;

    // Partial results of split rows: a launch that would need more is split less.
    private const long PartialBudgetBytes = 64L << 20;
    private const int Alignment = 64;

    // Groups that a launch is split into at least, for each compute unit: as many as fit there at once, or a few rounds of them.
    private const int OccupancyGroups = 2;
    private const int FixedGroups = 8;

    /// <summary>Tiles of 16 query columns of a group.</summary>
    public int Columns { get; private init; }

    /// <summary>Slices of V's dims, each a group's.</summary>
    public int NumSlices { get; private init; }

    /// <summary>True when no row has more columns than a group.</summary>
    public bool IsRow { get; private init; }

    /// <summary>Groups of columns over all rows.</summary>
    public int NumBlocks { get; private init; }

    public PagedUnit Unit { get; private init; }

    /// <summary>Most units of a row.</summary>
    public int MaxUnits { get; private init; }

    /// <summary>Groups that share the units of a row.</summary>
    public int NumSplits { get; private init; }

    /// <summary>Floats of partial results.</summary>
    public long PartialFloats { get; private init; }

    /// <summary>The plan of one launch.</summary>
    /// <param name="spec">The layer group.</param>
    /// <param name="args">The call.</param>
    /// <param name="rows">Which of its rows.</param>
    /// <param name="split">How far to split.</param>
    /// <param name="waveSize">Lanes of a wave.</param>
    /// <param name="computeUnits">Of the device.</param>
    public static PagedPlan Make(AttentionSpec spec, in PagedAttentionArgs args, AttentionRows rows, KvSplit split, int waveSize, int computeUnits)
    {
        int queryLen = rows == AttentionRows.SingleToken ? 1 : args.MaxQueryLen, ratio = spec.GqaRatio;
        int slices = Slices(spec.VHeadDim, waveSize), valueDim = spec.VHeadDim / slices;

        // Two tiles share what is loaded of K and V, where registers hold both.
        int columns = (long)queryLen * ratio > 16 && (waveSize == 64 ? valueDim <= 128 : valueDim <= 64) ? 2 : 1, width = 16 * columns;
        bool isRow = (long)queryLen * ratio <= width;
        long tokens = Math.Min(args.Query.Dim(0), (long)args.NumRows * queryLen);
        long blocks = isRow ? args.NumRows : (tokens * ratio / width) + args.NumRows, groups = blocks * spec.NumKvHeads * slices;

        // The keys that the columns of a group see.
        long tokensOfGroup = Math.Min(queryLen, ((width - 1) / ratio) + 2L);
        long keys = Math.Max(1, Math.Min(args.MaxSeqLen, (spec.SlidingWindow ?? int.MaxValue) + tokensOfGroup));
        long target = (long)computeUnits * (split == KvSplit.Fixed ? FixedGroups : OccupancyGroups);
        var plan = new PagedPlan { Columns = columns, NumSlices = slices, IsRow = isRow, NumBlocks = checked((int)blocks), Unit = PagedUnit.Row, MaxUnits = 1, NumSplits = 1 };
        if (groups >= target || keys <= SpanKeys) return plan;
        long stretches = Units(keys, args.MaxSeqLen, StretchKeys), spans = Units(keys, args.MaxSeqLen, SpanKeys), perUnit = groups * PartialFloatsOf(valueDim, waveSize, columns);
        bool isSpan = groups * stretches < target && perUnit * spans * sizeof(float) <= PartialBudgetBytes;
        long units = isSpan ? spans : stretches;
        if (units <= 1 || perUnit * units * sizeof(float) > PartialBudgetBytes) return plan;
        return plan with
        {
            Unit = isSpan ? PagedUnit.Span : PagedUnit.Stretch,
            MaxUnits = (int)units,
            NumSplits = (int)Math.Min(units, (target + groups - 1) / groups),
            PartialFloats = perUnit * units,
        };
    }

    /// <summary>Scratch of any plan within the limits of a session.</summary>
    public static long ScratchBytes(AttentionSpec spec, in BatchLimits limits, int waveSize)
    {
        int slices = Slices(spec.VHeadDim, waveSize);
        double blocks = ((double)limits.MaxNumTokens * spec.GqaRatio / 16) + (2.0 * limits.MaxNumRows);
        double bytes = blocks * spec.NumKvHeads * slices * (((limits.MaxSeqLen - 1) / SpanKeys) + 1) * PartialFloatsOf(spec.VHeadDim / slices, waveSize, 1) * sizeof(float);
        return (long)Math.Min(bytes, PartialBudgetBytes) + (2 * Alignment);
    }

    // The dims of V whose sums a wave's registers hold.
    private static int Slices(int valueDim, int waveSize)
    {
        int slices = 1, most = waveSize == 64 ? 256 : 128;
        while (valueDim % 8 == 0 && (valueDim / slices > most || valueDim % (8 * slices) != 0)) slices++;
        return slices;
    }

    private static long Units(long keys, int maxSeqLen, int size) => Math.Min(((maxSeqLen - 1L) / size) + 1, ((keys - 1) / size) + 2);

    // States of the columns, then sums of V's dims rounded up to what a slab of the kernel can hold.
    private static long PartialFloatsOf(int valueDim, int waveSize, int columns)
    {
        long slab = waveSize == 64 && valueDim > 64 ? 128 : 64;
        return columns * (32 + ((valueDim + slab - 1) / slab * slab * 16));
    }
}
