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

    /// <summary>Local memory (LDS) that one block may use, in bytes.</summary>
    public required int LdsBytesPerBlock { get; init; }

    public required int MaxThreadsPerBlock { get; init; }

    /// <summary>Threads that one compute unit holds at a time; 0 when the runtime does not say.</summary>
    public int MaxThreadsPerComputeUnit { get; init; }

    /// <summary>Size of the second-level cache in bytes; 0 when the runtime does not say.</summary>
    public int L2CacheBytes { get; init; }

    /// <summary>Highest clock of the compute units in kHz; 0 when the runtime does not say.</summary>
    public int ClockKilohertz { get; init; }

    /// <summary>Highest memory clock in kHz; 0 when the runtime does not say.</summary>
    public int MemoryClockKilohertz { get; init; }

    /// <summary>Width of the memory bus in bits; 0 when the runtime does not say.</summary>
    public int MemoryBusBits { get; init; }

    /// <summary>Has the stream-ordered allocator: pools, hipMallocFromPoolAsync.</summary>
    public bool SupportsMemoryPools { get; init; }

    /// <summary>PCI device identity of the chip, 0x74a1 for an MI300X; 0 when the runtime does not say.</summary>
    public int PciChipId { get; init; }

    /// <summary>Where the device sits on the PCI bus, or null when the runtime does not say.</summary>
    public PciAddress? Pci { get; init; }

    /// <summary>The architecture without its feature flags: "gfx942".</summary>
    public string? Target => Architecture?.Split(':')[0];
}

/// <summary>The place of a device on the PCI bus: the identity that HIP, ROCm SMI and the kernel share.</summary>
internal readonly record struct PciAddress(int Domain, int Bus, int Device)
{
    public override string ToString() => $"{Domain:x4}:{Bus:x2}:{Device:x2}";
}
