using Rocm.Inference.Conformance.Devices;
using Rocm.Inference.Devices;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Conformance.Attention;

/// <summary>A sample of the cases: emulation is slow.</summary>
public abstract class HipNonFiniteKeysConformance : NonFiniteKeysConformance
{
    protected override int Cases(int all) => HipDevices.Sample(all, 2);
}

public sealed class Gfx942NonFiniteKeys : HipNonFiniteKeysConformance
{
    protected override IDevice CreateDevice(int numThreads) => HipDevices.Create(EmulatedGpu.Gfx942);
}

public sealed class Gfx1100NonFiniteKeys : HipNonFiniteKeysConformance
{
    protected override IDevice CreateDevice(int numThreads) => HipDevices.Create(EmulatedGpu.Gfx1100);
}
