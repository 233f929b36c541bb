using Rocm.Inference.Conformance.Devices;
using Rocm.Inference.Devices;

namespace Rocm.Inference.Conformance.Attention;

public sealed class CpuGatherKv512 : GatherKvConformance
{
    protected override IDevice CreateDevice(int numThreads) => CpuDevices.Create(numThreads, 512);
}

public sealed class CpuGatherKv256 : GatherKvConformance
{
    protected override IDevice CreateDevice(int numThreads) => CpuDevices.Create(numThreads, 256);
}

public sealed class CpuGatherKv128 : GatherKvConformance
{
    protected override IDevice CreateDevice(int numThreads) => CpuDevices.Create(numThreads, 128);
}

public sealed class CpuNonFiniteKeys512 : NonFinitePagedKeysConformance
{
    protected override IDevice CreateDevice(int numThreads) => CpuDevices.Create(numThreads, 512);
}

public sealed class CpuNonFiniteKeys256 : NonFinitePagedKeysConformance
{
    protected override IDevice CreateDevice(int numThreads) => CpuDevices.Create(numThreads, 256);
}

public sealed class CpuNonFiniteKeys128 : NonFinitePagedKeysConformance
{
    protected override IDevice CreateDevice(int numThreads) => CpuDevices.Create(numThreads, 128);
}
