using System.Text;

namespace Rocm.Inference;

/// <summary>A backend that was considered and not chosen.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Reasons">Why not: every reason that it gave, or that another one came first.</param>
public sealed record RefusedAttentionBackend(string Name, IReadOnlyList<string> Reasons)
{
    /// <summary>True when it could run the model on this device: only its place in the order of preference, or an explicit choice, speaks against it.</summary>
    public bool IsSupported { get; init; }
}

/// <summary>Which kernels compute the rows of one phase.</summary>
/// <param name="Name">The rows: "prefill" (no context yet), "extend" (many new tokens on a context) or "decode" (few new tokens on a context).</param>
/// <param name="Primitives">The kernels, in the order in which they run.</param>
/// <param name="Provider">Whose kernels: "cpu", "hip" (this library's) or "aiter" (AMD's assembly kernels, where they are installed and fit).</param>
public sealed record AttentionPhase(string Name, string Primitives, string Provider)
{
    /// <summary>Why AITER's kernels do not run the phase, where the backend would take them, or what of it they leave to others; a sentence each.</summary>
    public IReadOnlyList<string> ProviderReasons { get; init; } = [];

    /// <inheritdoc/>
    public override string ToString()
    {
        string text = $"{Name}: {Primitives} ({Provider})";
        return ProviderReasons.Count == 0 ? text : $"{text[..^1]}{(Provider == "aiter" ? "; " : ", not aiter: ")}{string.Join(" ", ProviderReasons)})";
    }
}

/// <summary>Which attention backend runs, why, and why no other does.</summary>
public sealed record AttentionSelection
{
    /// <summary>Name of the chosen backend.</summary>
    public required string Name { get; init; }

    /// <summary>Multi-head or latent attention, as the model needs.</summary>
    public required AttentionKind Kind { get; init; }

    /// <summary>Why this one: an explicit choice with its source, or its place in the priority list.</summary>
    public required string Reason { get; init; }

    /// <summary>Every other registered backend with the reasons against it.</summary>
    public required IReadOnlyList<RefusedAttentionBackend> Refused { get; init; }

    /// <summary>Which kernels run in each phase; empty when a custom backend does not tell.</summary>
    public IReadOnlyList<AttentionPhase> Phases { get; init; } = [];

    /// <inheritdoc/>
    public override string ToString()
    {
        var text = new StringBuilder(Name).Append(" (").Append(Reason).Append(')');
        foreach (AttentionPhase phase in Phases)
            text.Append("; ").Append(phase);
        foreach (RefusedAttentionBackend refused in Refused)
            text.Append("; not ").Append(refused.Name).Append(": ").AppendJoin(", ", refused.Reasons);
        return text.ToString();
    }
}
