namespace Rocm.Inference;

/// <summary>What an AITER installation can do on one architecture.</summary>
public sealed record AiterTargetReport
{
    /// <summary>The gfx target.</summary>
    public required string Architecture { get; init; }

    /// <summary>Which chip of the architecture the kernels are for, where AITER tells chips apart: "MI300", "MI308"; else null.</summary>
    public string? Chip { get; init; }

    /// <summary>Why sessions with these options use none of the kernels, a sentence; null when they use them.</summary>
    public string? Refusal { get; init; }

    /// <summary>What is wrong with the installation for this architecture, a sentence each.</summary>
    public required IReadOnlyList<string> Defects { get; init; }

    /// <summary>Every kernel that its manifests list, verified against its code object.</summary>
    public required IReadOnlyList<AiterKernelInfo> Kernels { get; init; }
}
