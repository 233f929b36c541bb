using System.Diagnostics.CodeAnalysis;

namespace Rocm.Inference;

/// <summary>How a block of the cache lies in memory. x = 16 bytes / element size.</summary>
[Experimental("ROCM0001")]
public enum KvLayoutKind
{
    /// <summary>K and V [blocks, block size, KV heads, head dim].</summary>
    Nhd,

    /// <summary>K [blocks, KV heads, head dim/x, block size, x], V [blocks, KV heads, head dim, block size].</summary>
    VectorizedX,

    /// <summary>K [blocks, KV heads, head dim/x, block size, x], V [blocks, KV heads, block size/x, head dim, x].</summary>
    Shuffled,

    /// <summary>One tensor [blocks, block size, KvLoraRank + QkRopeHeadDim]; V is the first KvLoraRank elements of the row.</summary>
    MlaLatent,
}

/// <summary>The cache layout a backend wants for a spec.</summary>
/// <param name="Kind">Order of the dimensions.</param>
/// <param name="PreferredBlockSize">Tokens per block when the session's options leave it open.</param>
/// <param name="BlockSizeMultiple">A block size must be a multiple of this.</param>
[Experimental("ROCM0001")]
public sealed record KvCacheLayout(KvLayoutKind Kind, int PreferredBlockSize = 16, int BlockSizeMultiple = 1);

/// <summary>The cache of one layer.</summary>
[Experimental("ROCM0001")]
public readonly record struct KvCacheView
{
    /// <summary>Order of the dimensions of <see cref="Key"/> and <see cref="Value"/>.</summary>
    public required KvLayoutKind Layout { get; init; }

    /// <summary>Tokens per block.</summary>
    public required int BlockSize { get; init; }

    /// <summary>The K tensor, or MLA's latent rows; shape by <see cref="Layout"/>.</summary>
    public required TensorView Key { get; init; }

    /// <summary>The V tensor; absent for MLA.</summary>
    public TensorView Value { get; init; }

    /// <summary>
    /// [1] or [KV heads] f32: stored K · scale = K, per tensor or per head. Absent = 1. fp8 caches only; MLA has one scale for the whole row.
    /// </summary>
    public TensorView KeyScales { get; init; }

    /// <summary>[1] or [KV heads] f32: stored V · scale = V. Absent = 1, and for MLA.</summary>
    public TensorView ValueScales { get; init; }
}
