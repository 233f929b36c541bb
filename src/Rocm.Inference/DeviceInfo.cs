namespace Rocm.Inference;

/// <summary>The device that a session runs on, and why this one.</summary>
public sealed record DeviceInfo
{
    /// <summary>What kind of hardware it is.</summary>
    public required DeviceKind Kind { get; init; }

    /// <summary>Processor or GPU model.</summary>
    public required string Name { get; init; }

    /// <summary>Instruction set or gfx target.</summary>
    public required string Architecture { get; init; }

    /// <summary>Why this device was chosen: who asked for it, or why no other could be had.</summary>
    public required string Reason { get; init; }

    /// <summary>Worker threads of a CPU device, compute units of a GPU.</summary>
    public int ComputeUnits { get; init; }

    /// <summary>Memory that the process may use on this device, in bytes.</summary>
    public long TotalMemoryBytes { get; init; }
}
