namespace Rocm.Inference.Native.Aiter;

/// <summary>One launch of forward attention: addresses in device memory, aligned to 16 bytes; strides in bytes, dense within a head.</summary>
internal readonly record struct AiterFlashArguments
{
    public required nint Output { get; init; }

    public required nint Query { get; init; }

    public required nint Key { get; init; }

    public required nint Value { get; init; }

    /// <summary>float [heads, query tokens], in a batch [batch, heads, query length]; null for none.</summary>
    public nint Lse { get; init; }

    /// <summary>Varlen: cumulative query lengths, int32 [sequences + 1].</summary>
    public nint QueryOffsets { get; init; }

    /// <summary>Varlen: cumulative key lengths, int32 [sequences + 1].</summary>
    public nint KeyOffsets { get; init; }

    /// <summary>Varlen: rows at which sequences begin where that differs from the lengths' sums; null for the same.</summary>
    public nint QueryStarts { get; init; }

    public nint KeyStarts { get; init; }

    /// <summary>fp8: float scales of queries, keys and values, one for all; see <see cref="AiterFlashForward.WantsScalesInFactor"/>.</summary>
    public nint QueryScale { get; init; }

    public nint KeyScale { get; init; }

    public nint ValueScale { get; init; }

    public required int Sequences { get; init; }

    /// <summary>The longest sequence's query tokens; in a batch every sequence's.</summary>
    public required int MaxQueryLength { get; init; }

    /// <summary>Key tokens of all sequences; in a batch of every sequence.</summary>
    public required int KeyTokens { get; init; }

    /// <summary>Query tokens of all sequences; in a batch of every sequence. Stride of the LSE's heads.</summary>
    public required int QueryTokens { get; init; }

    public required AiterFlashStrides QueryStrides { get; init; }

    public required AiterFlashStrides KeyStrides { get; init; }

    public required AiterFlashStrides ValueStrides { get; init; }

    public required AiterFlashStrides OutputStrides { get; init; }

    /// <summary>Factor of the scores.</summary>
    public required float Scale { get; init; }
}

/// <summary>Bytes between rows, heads and sequences; the last is 0 where sequences lie behind one another.</summary>
internal readonly record struct AiterFlashStrides(int Row, int Head, int Batch = 0);
