using Rocm.Inference.Devices;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Conformance.Devices;

public sealed class Gfx942Linear : LinearConformance
{
    protected override int[] Threads => [1];

    protected override int Sample(int all) => HipDevices.Sample(all, 7);

    protected override IDevice CreateDevice(int numThreads) => HipDevices.Create(EmulatedGpu.Gfx942);
}

public sealed class Gfx1100Linear : LinearConformance
{
    protected override int[] Threads => [1];

    protected override int Sample(int all) => HipDevices.Sample(all, 7);

    protected override IDevice CreateDevice(int numThreads) => HipDevices.Create(EmulatedGpu.Gfx1100);
}
