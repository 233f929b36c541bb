using Rocm.Inference.Devices.Cpu.Panels;

namespace Rocm.Inference.Devices.Cpu.Attention;

/// <summary>
/// A call of <see cref="IAttentionKernels.FlashVarlenPacked"/>. Tiles and blocks of queries are numbered over all rows and KV heads, row by row and head
/// by head; a wave is a range of row-head pairs, and so a range of both.
/// </summary>
internal unsafe struct PackedJob
{
    /// <summary>What is attended. Of a row, FirstItem counts blocks and FirstMerge tiles.</summary>
    public AttentionJob Attention;

    /// <summary>[tiles of the wave] of each pair: K [tiles][HeadDim][48], then V [Dv/48][48 · tiles][48].</summary>
    public byte* Panels;

    /// <summary>End of the wave's row-head pairs.</summary>
    public long EndPair;
    public int FirstTile;
    public int NumTiles;
    public int FirstBlock;
    public int NumBlocks;

    private readonly long KeyTileBytes => Panel.SizeBytes(PanelFormat.F32, Attention.HeadDim + 2);

    private readonly int ValueStride => AttentionScratch.PaddedValueDim(Attention.ValueDim);

    /// <summary>Bytes of the panels of 48 keys.</summary>
    public static long TileBytes(int dim, int valueDim) =>
        Panel.SizeBytes(PanelFormat.F32, dim + 2) + ((long)AttentionScratch.PaddedValueDim(valueDim) * Panel.Width * sizeof(float));

    /// <summary>Takes pairs from <paramref name="first"/> on while their panels fit the budget, one at least.</summary>
    public void PlanWave(long first, long budget)
    {
        long tileBytes = TileBytes(Attention.HeadDim, Attention.ValueDim);
        EndPair = first;
        FirstTile += NumTiles;
        FirstBlock += NumBlocks;
        NumTiles = 0;
        NumBlocks = 0;
        for (long end = (long)Attention.NumRows * Attention.NumKvHeads; EndPair < end; EndPair++)
        {
            ref AttentionRow row = ref Attention.Rows[EndPair / Attention.NumKvHeads];
            if (EndPair > first && (NumTiles + (long)row.NumTiles) * tileBytes > budget) return;
            NumTiles += row.NumTiles;
            NumBlocks += row.NumBlocks;
        }
    }

    public readonly float* KeyPanel(in PackedPair pair, int tile) => (float*)(Base(pair) + (tile * KeyTileBytes));

    public readonly float* ValuePanel(in PackedPair pair, int tile, int slice) =>
        (float*)(Base(pair) + (pair.NumTiles * KeyTileBytes)) + ((((long)slice * pair.NumTiles) + tile) * Panel.Width * Panel.Width);

    private readonly byte* Base(in PackedPair pair) => Panels + ((pair.FirstTile - FirstTile) * TileBytes(Attention.HeadDim, Attention.ValueDim));
}

/// <summary>One row and KV head.</summary>
internal struct PackedPair
{
    public int Row;
    public int Head;

    /// <summary>Its first tile and number of tiles.</summary>
    public int FirstTile;
    public int NumTiles;

    /// <summary>Which of the pair's tiles or blocks was asked for.</summary>
    public int Index;
}

/// <summary>One thread's scratch: what all attention takes, and the scores of a stretch of keys.</summary>
internal unsafe struct PackedScratch(in AttentionJob job, int stretchLen)
{
    public AttentionScratch Attention = new(job);
    private readonly long _scoreBytes = (long)job.BlockTokens * job.GqaRatio * stretchLen * sizeof(float);

    /// <summary>[rows, stretch].</summary>
    public float* Scores { get; private set; }

    public readonly long SizeBytes => _scoreBytes + Attention.SizeBytes + 64;

    public void Place(void* memory)
    {
        Scores = (float*)memory;
        Attention.Place((byte*)memory + ((_scoreBytes + 63) & ~63L));
    }
}
