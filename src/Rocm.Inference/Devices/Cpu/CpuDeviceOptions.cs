using Microsoft.Extensions.Logging;

namespace Rocm.Inference.Devices.Cpu;

/// <summary>How to set up a <see cref="CpuDevice"/>.</summary>
internal sealed record CpuDeviceOptions
{
    /// <summary>Threads that run kernels, the caller included; 0 = as many as the process may use (affinity and cgroup quota).</summary>
    public int NumThreads { get; init; }

    /// <summary>Where the device tells what it found; null = nowhere.</summary>
    public ILogger? Logger { get; init; }

    /// <summary>Vector width to use instead of the widest that is accelerated: 128, 256 or 512; 0 = widest. For tests.</summary>
    public int VectorBits { get; init; }
}
