using Rocm.Inference.Conformance.Devices;
using Rocm.Inference.Devices;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Conformance.Attention;

public sealed class Gfx942MergeStates : MergeStatesConformance
{
    protected override IDevice CreateDevice(int numThreads) => HipDevices.Create(EmulatedGpu.Gfx942);
}

public sealed class Gfx1100MergeStates : MergeStatesConformance
{
    protected override IDevice CreateDevice(int numThreads) => HipDevices.Create(EmulatedGpu.Gfx1100);
}

public sealed class Gfx942GatherKv : GatherKvConformance
{
    protected override IDevice CreateDevice(int numThreads) => HipDevices.Create(EmulatedGpu.Gfx942);
}

public sealed class Gfx1100GatherKv : GatherKvConformance
{
    protected override IDevice CreateDevice(int numThreads) => HipDevices.Create(EmulatedGpu.Gfx1100);
}

public sealed class Gfx942RopeStoreKv : RopeStoreKvConformance
{
    protected override IDevice CreateDevice(int numThreads) => HipDevices.Create(EmulatedGpu.Gfx942);
}

public sealed class Gfx1100RopeStoreKv : RopeStoreKvConformance
{
    protected override IDevice CreateDevice(int numThreads) => HipDevices.Create(EmulatedGpu.Gfx1100);
}
