using System.Diagnostics.CodeAnalysis;

namespace Rocm.Inference;

/// <summary>Every reason against a backend for a spec on a device, or none.</summary>
[Experimental("ROCM0001")]
public sealed class AttentionSupport
{
    private AttentionSupport(IReadOnlyList<string> reasons) => Reasons = reasons;

    /// <summary>The answer without reasons against.</summary>
    public static AttentionSupport Supported { get; } = new([]);

    /// <summary>Why the backend cannot be used; empty when it can.</summary>
    public IReadOnlyList<string> Reasons { get; }

    /// <summary>True when there is no reason against.</summary>
    public bool IsSupported => Reasons.Count == 0;

    /// <summary>Makes an answer of the reasons found.</summary>
    /// <param name="reasons">Reasons against; none means supported.</param>
    public static AttentionSupport From(IReadOnlyList<string> reasons)
    {
        ArgumentNullException.ThrowIfNull(reasons);
        return reasons.Count == 0 ? Supported : new AttentionSupport([.. reasons]);
    }
}
