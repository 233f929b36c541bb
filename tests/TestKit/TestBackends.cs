using Rocm.Inference.Attention.Backends;

namespace Rocm.Inference.TestKit;

/// <summary>The library's backends, with a workspace so small that a context of a few blocks is attended in several chunks.</summary>
internal static class TestBackends
{
    private const int ContextTokens = 8;

    /// <summary>Names of all backends of a kind, the single-path one first.</summary>
    public static IReadOnlyList<string> Names(AttentionKind kind) =>
        [.. LibraryBackends.Create().Where(backend => backend.Kind == kind).Select(backend => backend.Name)];

    public static IAttentionBackend Named(string name) => LibraryBackends.Create(new ContextWorkspace(ContextTokens)).Single(backend => backend.Name == name);

    public static IAttentionBackend FirstOf(AttentionKind kind) => Named(Names(kind)[0]);
}
