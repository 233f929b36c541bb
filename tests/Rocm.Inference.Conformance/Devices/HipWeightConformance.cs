using Rocm.Inference.Devices;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Conformance.Devices;

public sealed class Gfx942GroupedLinear : GroupedLinearConformance
{
    protected override int[] Threads => [1];

    protected override int Sample(int all) => HipDevices.Sample(all, 4);

    protected override IDevice CreateDevice(int numThreads) => HipDevices.Create(EmulatedGpu.Gfx942);
}

public sealed class Gfx1100GroupedLinear : GroupedLinearConformance
{
    protected override int[] Threads => [1];

    protected override int Sample(int all) => HipDevices.Sample(all, 4);

    protected override IDevice CreateDevice(int numThreads) => HipDevices.Create(EmulatedGpu.Gfx1100);
}

public sealed class Gfx942ScaledWeight : ScaledWeightConformance
{
    protected override int[] Threads => [1];

    protected override int Sample(int all) => HipDevices.Sample(all, 3);

    protected override IDevice CreateDevice(int numThreads) => HipDevices.Create(EmulatedGpu.Gfx942);
}

public sealed class Gfx1100ScaledWeight : ScaledWeightConformance
{
    protected override int[] Threads => [1];

    protected override int Sample(int all) => HipDevices.Sample(all, 3);

    protected override IDevice CreateDevice(int numThreads) => HipDevices.Create(EmulatedGpu.Gfx1100);
}
