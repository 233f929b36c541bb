namespace Rocm.Inference.Devices.Cpu.Attention;

/// <summary>Arguments of one attention call, shared by the threads that run it.</summary>
internal unsafe struct AttentionJob
{
    public CpuOperand Query;

    /// <summary>The rest of each query head, or a null address.</summary>
    public CpuOperand QueryRope;
    public CpuOperand Output;

    /// <summary>[Hq, T] with <see cref="LseStride"/> elements between heads, or null.</summary>
    public float* Lse;
    public long LseStride;
    public CacheTensor Key;
    public CacheTensor Value;

    /// <summary>The rest of each key, shared by all heads; its dimension is 0 where there is none.</summary>
    public CacheTensor KeyRope;
    public int* BlockTable;
    public long BlockTableStride;
    public int NumTableEntries;
    public float Scale;
    public float SoftCap;

    /// <summary>Number of keys that a query sees at most; int.MaxValue without a window.</summary>
    public int Window;

    /// <summary>False: a query sees keys after its position too.</summary>
    public bool Causal;

    /// <summary>[Hq], or null.</summary>
    public float* Sinks;

    /// <summary>[Hq], or null.</summary>
    public float* Slopes;
    public int GqaRatio;
    public int NumKvHeads;

    /// <summary>Query tokens of a work item.</summary>
    public int BlockTokens;

    /// <summary>Most KV heads of a work item.</summary>
    public int MaxItemHeads;

    /// <summary>Positions of a segment; a multiple of 16.</summary>
    public int SegmentLen;
    public AttentionRow* Rows;
    public int NumRows;
    public int NumItems;

    /// <summary>Items that merge the partial results of a split row and head; they follow the others.</summary>
    public int NumMerges;
    public float* Partials;

    /// <summary>True when the values of a row are summed with the even channels of each two vectors before the odd ones.</summary>
    public readonly bool SplitsValues => Value.Run == Value.Dim && Value.DType != DType.F32;

    public readonly int HeadDim => Query.Columns + QueryRope.Columns;

    public readonly int ValueDim => Value.Dim;
}

/// <summary>One request of the step and the work items made of it.</summary>
internal struct AttentionRow
{
    public int FirstItem;

    /// <summary>First of the items that merge, or of the tiles that are laid out beforehand.</summary>
    public int FirstMerge;

    /// <summary>Tiles of keys that are laid out beforehand for each KV head.</summary>
    public int NumTiles;
    public int QueryStart;
    public int QueryLen;

    /// <summary>Position of the first query token, counted from the first key; negative when all keys are later.</summary>
    public int FirstPosition;

    /// <summary>Number of keys: positions [0, NumKeys).</summary>
    public int NumKeys;

    /// <summary>Blocks of query tokens.</summary>
    public int NumBlocks;

    /// <summary>Consecutive KV heads of an item. With few queries several go over a tile one after the other, so that memory is read in long stretches.</summary>
    public int ItemHeads;

    /// <summary>Segments [FirstSegment, EndSegment) hold the keys that any query of the row sees; used when split.</summary>
    public int FirstSegment;
    public int EndSegment;

    /// <summary>Segments of an item of a split row (one, or a span), which a merge follows; 0: an item goes over all keys.</summary>
    public int ItemSegments;

    /// <summary>Start of the row's partial results in floats: [groups of KV heads, items, query rows of the group, partial stride].</summary>
    public long Partial;

    /// <summary>Groups of <see cref="ItemHeads"/> heads.</summary>
    public readonly int NumGroups(int numKvHeads) => (numKvHeads + ItemHeads - 1) / ItemHeads;

    /// <summary>First item's first segment is a multiple of <see cref="ItemSegments"/>.</summary>
    public readonly int FirstUnit => FirstSegment / ItemSegments;

    /// <summary>Items of a group of heads of a split row.</summary>
    public readonly int NumUnits => EndSegment <= FirstSegment ? 0 : ((EndSegment - 1) / ItemSegments) - FirstUnit + 1;
}
