namespace Rocm.Inference;

/// <summary>A GPU of this machine.</summary>
public sealed record GpuInfo
{
    /// <summary>Its number for <see cref="InferenceSessionOptions.DeviceIndex"/>, as HIP counts in this process.</summary>
    public required int Index { get; init; }

    /// <summary>The model.</summary>
    public required string Name { get; init; }

    /// <summary>The gfx target with its feature flags; null when the runtime's answer could not be read.</summary>
    public string? Architecture { get; init; }

    /// <summary>Memory in bytes.</summary>
    public required long MemoryBytes { get; init; }

    /// <summary>Compute units.</summary>
    public required int ComputeUnits { get; init; }

    /// <summary>Shares its memory with the processor: taken only when asked for.</summary>
    public required bool IsIntegrated { get; init; }

    /// <summary>Kernels that the package holds compiled for it; the others are compiled by hipRTC at their first use.</summary>
    public required int NumCompiledKernels { get; init; }

    /// <summary>Why no session can run on it, a sentence; null when one can.</summary>
    public string? Refusal { get; init; }
}
