namespace Rocm.Inference.Native.Aiter;

/// <summary>
/// What decides which MLA decode kernel fits: absorbed queries [tokens, heads, 512 + 64] over latent rows of the same width in a cache whose page is one
/// token, output [tokens, heads, 512].
/// </summary>
internal readonly record struct AiterMlaShape
{
    public AiterMlaShape()
    {
    }

    public required AiterDType Query { get; init; }

    public required AiterDType Cache { get; init; }

    /// <summary>Query heads; a caller with a number that no kernel has pads to the next with zero queries.</summary>
    public required int Heads { get; init; }

    /// <summary>Query tokens of every sequence.</summary>
    public int QueryLength { get; init; } = 1;

    /// <summary>Size of the cache of one layer.</summary>
    public required long PoolBytes { get; init; }

    /// <summary>Persistent kernels: also the final LSE.</summary>
    public bool Lse { get; init; }

    public AiterFeatures Features { get; init; }
}
