namespace Rocm.Inference;

/// <summary>Whose order of preference chooses among the attention backends that support a model.</summary>
public enum AttentionPreset
{
    /// <summary>This library's own: the fastest first, as measured.</summary>
    Default,

    /// <summary>vLLM's of January 2026 (its blog post on ROCm attention backends): the backend that it would name on the same hardware.</summary>
    VllmBlogEra,

    /// <summary>vLLM's of August 2026: a priority list for each kind of hardware.</summary>
    VllmNewest,
}
