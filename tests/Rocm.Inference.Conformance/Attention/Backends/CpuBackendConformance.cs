using Rocm.Inference.Conformance.Devices;

namespace Rocm.Inference.Conformance.Attention.Backends;

public sealed class CpuBackends512 : BackendConformance
{
    protected override IDevice CreateDevice(int numThreads) => CpuDevices.Create(numThreads, 512);
}

public sealed class CpuBackends256 : BackendConformance
{
    protected override IDevice CreateDevice(int numThreads) => CpuDevices.Create(numThreads, 256);
}
