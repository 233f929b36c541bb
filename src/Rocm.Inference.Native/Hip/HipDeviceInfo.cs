namespace Rocm.Inference.Native.Hip;

/// <summary>What a HIP device says of itself.</summary>
internal sealed record HipDeviceInfo
{
    /// <summary>The number by which HIP knows the device in this process; HIP_VISIBLE_DEVICES renumbers.</summary>
    public required int Ordinal { get; init; }

    public required string Name { get; init; }

    /// <summary>"gfx942:sramecc+:xnack-", or null when the runtime's answer could not be read with certainty.</summary>
    public required string? Architecture { get; init; }

    public required long MemoryBytes { get; init; }

    /// <summary>Shares its memory with the processor.</summary>
    public required bool IsIntegrated { get; init; }

    public required int ComputeUnits { get; init; }

    /// <summary>Lanes of a wave: 64 on CDNA, 32 elsewhere.</summary>
    public required int WaveSize { get; init; }

    /// <summary>The architecture without its feature flags: "gfx942".</summary>
    public string? Target => Architecture?.Split(':')[0];
}
