using Rocm.Inference.Devices;

namespace Rocm.Inference.Conformance.Devices;

public sealed class CpuRouting512 : RoutingConformance
{
    protected override IDevice CreateDevice(int numThreads) => CpuDevices.Create(numThreads, 512);
}

public sealed class CpuRouting256 : RoutingConformance
{
    protected override IDevice CreateDevice(int numThreads) => CpuDevices.Create(numThreads, 256);
}

public sealed class CpuRouting128 : RoutingConformance
{
    protected override IDevice CreateDevice(int numThreads) => CpuDevices.Create(numThreads, 128);
}

public sealed class CpuGroupedLinear512 : GroupedLinearConformance
{
    protected override IDevice CreateDevice(int numThreads) => CpuDevices.Create(numThreads, 512);
}

public sealed class CpuGroupedLinear256 : GroupedLinearConformance
{
    protected override IDevice CreateDevice(int numThreads) => CpuDevices.Create(numThreads, 256);
}

public sealed class CpuGroupedLinear128 : GroupedLinearConformance
{
    protected override IDevice CreateDevice(int numThreads) => CpuDevices.Create(numThreads, 128);
}

public sealed class CpuScaledWeight512 : ScaledWeightConformance
{
    protected override IDevice CreateDevice(int numThreads) => CpuDevices.Create(numThreads, 512);
}

public sealed class CpuScaledWeight256 : ScaledWeightConformance
{
    protected override IDevice CreateDevice(int numThreads) => CpuDevices.Create(numThreads, 256);
}

public sealed class CpuScaledWeight128 : ScaledWeightConformance
{
    protected override IDevice CreateDevice(int numThreads) => CpuDevices.Create(numThreads, 128);
}
