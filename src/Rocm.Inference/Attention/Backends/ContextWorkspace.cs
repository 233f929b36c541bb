namespace Rocm.Inference.Attention.Backends;

/// <summary>How much of the cached context of extend rows is gathered at once.</summary>
/// <param name="MaxNumTokens">Tokens over all rows.</param>
/// <param name="MaxBytes">Bytes that these tokens take in the workspace: 64K tokens of 128 latent heads alone would be gigabytes.</param>
internal readonly record struct ContextWorkspace(int MaxNumTokens, long MaxBytes = ContextWorkspace.DefaultMaxBytes)
{
    private const long DefaultMaxBytes = 512L << 20;

    // At least one block is gathered, whatever the limits; this is the largest block that the session's options take.
    private const int LargestBlock = 1024;

    /// <summary>Multi-head attention.</summary>
    public static ContextWorkspace Mha => new(32768);

    /// <summary>Latent attention, whose cached rows are small.</summary>
    public static ContextWorkspace Mla => new(65536);

    /// <summary>Tokens that fit.</summary>
    /// <param name="bytesPerToken">Workspace of one token.</param>
    public int Tokens(long bytesPerToken) => (int)Math.Clamp(MaxBytes / Math.Max(1, bytesPerToken), 1, MaxNumTokens);

    /// <summary>Most tokens in the workspace with any block size.</summary>
    /// <param name="bytesPerToken">Workspace of one token.</param>
    /// <param name="rows">Most extend rows of a step.</param>
    /// <param name="contextLen">Longest visible context of a row.</param>
    public int MostTokens(long bytesPerToken, int rows, int contextLen) =>
        (int)Math.Min(Math.Max(Tokens(bytesPerToken), LargestBlock), (long)rows * contextLen);
}
