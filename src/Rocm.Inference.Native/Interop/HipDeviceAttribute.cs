namespace Rocm.Inference.Native.Interop;

/// <summary>Values of hipDeviceAttribute_t, the same from ROCm 5.0 to 7.</summary>
internal enum HipDeviceAttribute
{
    /// <summary>In kilohertz.</summary>
    ClockRate = 5,
    Integrated = 16,

    /// <summary>In bytes.</summary>
    L2CacheSize = 19,
    MaxThreadsPerBlock = 56,
    MaxThreadsPerMultiprocessor = 57,

    /// <summary>In bits.</summary>
    MemoryBusWidth = 59,

    /// <summary>In kilohertz.</summary>
    MemoryClockRate = 60,
    MultiprocessorCount = 63,
    PciBusId = 67,
    PciDeviceId = 68,
    PciDomainId = 69,

    /// <summary>In bytes.</summary>
    MaxSharedMemoryPerBlock = 74,
    WarpSize = 87,
    MemoryPoolsSupported = 88,
}
