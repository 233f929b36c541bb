namespace Rocm.Inference.Native.Aiter;

/// <summary>One launch of MLA decode or prefill: addresses in device memory, aligned to 16 bytes, and sizes.</summary>
internal readonly record struct AiterMlaArguments
{
    /// <summary>Partial outputs, see <see cref="AiterMlaPartials"/>; bf16 results [tokens, heads, 512] where the launch has one split and the kernel writes those.</summary>
    public required nint Partials { get; init; }

    /// <summary>Partial LSE, float.</summary>
    public required nint PartialLse { get; init; }

    /// <summary>[tokens, heads, 576], dense.</summary>
    public required nint Query { get; init; }

    public required nint Cache { get; init; }

    /// <summary>Cumulative context lengths, int32 [sequences + 1].</summary>
    public required nint KvOffsets { get; init; }

    /// <summary>The cache row of every context token, int32.</summary>
    public required nint KvIndices { get; init; }

    /// <summary>Tokens of each sequence's last page, int32 [sequences]: ones.</summary>
    public required nint LastPageLengths { get; init; }

    /// <summary>Cumulative query tokens, int32 [sequences + 1].</summary>
    public required nint QueryOffsets { get; init; }

    /// <summary>0, splits, 2 splits ..., int32 [sequences + 1]; persistent kernels: two 64-bit addresses in device memory, of the work offsets and of the work items.</summary>
    public required nint SplitOffsets { get; init; }

    /// <summary>Persistent kernels: final bf16 output [tokens, heads, 512].</summary>
    public nint Output { get; init; }

    /// <summary>Persistent kernels with LSE: final LSE, float [tokens, heads].</summary>
    public nint Lse { get; init; }

    /// <summary>One float for fp8 queries.</summary>
    public nint QueryScale { get; init; }

    /// <summary>One float for fp8 caches.</summary>
    public nint CacheScale { get; init; }

    public required int Sequences { get; init; }

    /// <summary>Splits of every sequence; 1 for persistent kernels and for prefill.</summary>
    public int Splits { get; init; }

    /// <summary>Bytes from one cache row to the next.</summary>
    public required int CacheRowBytes { get; init; }

    /// <summary>Factor of the scores.</summary>
    public required float Scale { get; init; }
}
