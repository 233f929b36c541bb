namespace Rocm.Inference.Native.Aiter;

/// <summary>One launch of paged decode: addresses in device memory, aligned to 16 bytes, and strides.</summary>
internal readonly record struct AiterPagedArguments
{
    /// <summary>[tokens, heads, dim], dense, in the query's type.</summary>
    public required nint Output { get; init; }

    public required nint Query { get; init; }

    public required nint Keys { get; init; }

    public required nint Values { get; init; }

    /// <summary>Block numbers, int32 [sequences, stride]. Lanes beyond the context read block 0, which must be mapped.</summary>
    public required nint BlockTable { get; init; }

    /// <summary>Cached tokens of each sequence with its query tokens, int32.</summary>
    public required nint ContextLengths { get; init; }

    /// <summary>float [blocks, kv heads, block]; null for caches that are not quantized.</summary>
    public nint KeyScales { get; init; }

    public nint ValueScales { get; init; }

    /// <summary>Cumulative query tokens, int32 [sequences + 1], for kernels that want them.</summary>
    public nint QueryOffsets { get; init; }

    public required int Sequences { get; init; }

    /// <summary>Elements from one row of the block table to the next.</summary>
    public required int BlockTableStride { get; init; }

    /// <summary>Bytes from one query token to the next.</summary>
    public required int QueryRowBytes { get; init; }

    /// <summary>Bytes from one cache block to the next, for keys and for values.</summary>
    public required int BlockBytes { get; init; }

    /// <summary>Bytes from one KV head of a block to the next.</summary>
    public required int HeadBytes { get; init; }

    /// <summary>Factor of the scores.</summary>
    public required float Scale { get; init; }
}
