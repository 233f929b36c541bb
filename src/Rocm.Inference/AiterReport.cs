namespace Rocm.Inference;

/// <summary>AITER on this machine, AMD's library of assembly kernels, and what it can do here.</summary>
public sealed record AiterReport
{
    /// <summary>The folder of its kernels; null when it was not found.</summary>
    public string? Path { get; init; }

    /// <summary>Its version; null when the installation does not say.</summary>
    public string? Version { get; init; }

    /// <summary>One sentence: where it is, or where it was looked for in vain.</summary>
    public required string Summary { get; init; }

    /// <summary>Every folder that was looked into, with what was found there.</summary>
    public required IReadOnlyList<string> Attempts { get; init; }

    /// <summary>What it can do on each GPU of this machine; where there is none, on each architecture that it has kernels for and this library launches.</summary>
    public required IReadOnlyList<AiterTargetReport> Targets { get; init; }
}
