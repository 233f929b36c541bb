using Rocm.Inference.Devices;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Conformance.Devices;

public sealed class Gfx942Routing : RoutingConformance
{
    protected override IDevice CreateDevice(int numThreads) => HipDevices.Create(EmulatedGpu.Gfx942);

    protected override int Tokens(int all) => Math.Min(all, 40);
}

public sealed class Gfx1100Routing : RoutingConformance
{
    protected override IDevice CreateDevice(int numThreads) => HipDevices.Create(EmulatedGpu.Gfx1100);

    protected override int Tokens(int all) => Math.Min(all, 40);
}
