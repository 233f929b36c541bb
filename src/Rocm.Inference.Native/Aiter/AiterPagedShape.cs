namespace Rocm.Inference.Native.Aiter;

/// <summary>
/// What decides which paged-attention kernel fits: keys [blocks, kv heads, dim / x, block, x] and values [blocks, kv heads, block / x, dim, x] with
/// x = 16 / bytes of an element, queries and output [tokens, heads, dim].
/// </summary>
internal readonly record struct AiterPagedShape
{
    public AiterPagedShape()
    {
    }

    public required AiterDType Query { get; init; }

    public required AiterDType Cache { get; init; }

    public required int Heads { get; init; }

    public required int KvHeads { get; init; }

    public required int HeadDim { get; init; }

    /// <summary>Tokens of a cache block.</summary>
    public required int BlockSize { get; init; }

    /// <summary>Query tokens of a sequence at most.</summary>
    public int MaxQueryLength { get; init; } = 1;

    /// <summary>Size of the keys of one layer, which is that of its values.</summary>
    public required long PoolBytes { get; init; }

    public AiterFeatures Features { get; init; }

    internal int Gqa => KvHeads > 0 ? Heads / KvHeads : 0;
}
