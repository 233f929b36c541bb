using Rocm.Inference.Conformance.Devices;
using Rocm.Inference.Devices;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Conformance.Attention;

/// <summary>A sample of the cases: emulation is slow.</summary>
public abstract class HipFlashVarlenConformance : FlashVarlenConformance
{
    protected override int[] Threads => [1];

    protected override int Cases(int all) => HipDevices.Sample(all, 4);
}

public sealed class Gfx942FlashVarlen : HipFlashVarlenConformance
{
    protected override int? WeightTile(bool packed, int headDim) => 32;

    protected override IDevice CreateDevice(int numThreads) => HipDevices.Create(EmulatedGpu.Gfx942);
}

public sealed class Gfx1100FlashVarlen : HipFlashVarlenConformance
{
    protected override int? WeightTile(bool packed, int headDim) => packed && headDim <= 64 ? 32 : 16;

    protected override IDevice CreateDevice(int numThreads) => HipDevices.Create(EmulatedGpu.Gfx1100);
}
