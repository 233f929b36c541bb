using Rocm.Inference.Conformance.Devices;
using Rocm.Inference.Devices;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Conformance.Attention;

/// <summary>A sample of the cases: emulation is slow.</summary>
public abstract class HipMlaDecodeConformance : MlaDecodeConformance
{
    protected override int[] Threads => [1];

    protected override int Cases(int all) => HipDevices.Sample(all, all > 8 ? 8 : 2);
}

public sealed class Gfx942MlaDecode : HipMlaDecodeConformance
{
    protected override IDevice CreateDevice(int numThreads) => HipDevices.Create(EmulatedGpu.Gfx942);
}

public sealed class Gfx1100MlaDecode : HipMlaDecodeConformance
{
    protected override IDevice CreateDevice(int numThreads) => HipDevices.Create(EmulatedGpu.Gfx1100);
}
