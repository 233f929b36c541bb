namespace Rocm.Inference.Attention.Backends;

/// <summary>The library's own backends.</summary>
internal static class LibraryBackends
{
    /// <summary>One of each, those of multi-head attention first.</summary>
    /// <param name="workspace">How much context is gathered at once; null for each backend's default.</param>
    public static IReadOnlyList<IAttentionBackend> Create(ContextWorkspace? workspace = null) =>
    [
        new TritonAttentionBackend(),
        new AiterUnifiedAttentionBackend(),
        new RocmAttentionBackend(),
        new AiterFlashAttentionBackend(workspace),
        new TritonMlaBackend(workspace),
        new AiterMlaBackend(workspace),
        new AiterTritonMlaBackend(workspace),
    ];
}
