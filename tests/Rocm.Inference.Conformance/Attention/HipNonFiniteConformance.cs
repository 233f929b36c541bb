using Rocm.Inference.Conformance.Devices;
using Rocm.Inference.Devices;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Conformance.Attention;

/// <summary>A sample of the cases: emulation is slow.</summary>
public abstract class HipNonFiniteKeysConformance : NonFinitePagedKeysConformance
{
    protected override int Cases(int all) => HipDevices.Sample(all, 2);

    /// <summary>Each layout in the activation type, and one in 8 bits: a kernel to compile each.</summary>
    private protected override (DType DType, int Dim)? Fit(KvLayoutKind layout, DType dtype, int dim) =>
        dtype == DType.BF16 || (dtype == DType.F8E4M3Fn && layout == KvLayoutKind.Nhd) ? (dtype, 64) : null;
}

public sealed class Gfx942NonFiniteKeys : HipNonFiniteKeysConformance
{
    protected override IDevice CreateDevice(int numThreads) => HipDevices.Create(EmulatedGpu.Gfx942);
}

public sealed class Gfx1100NonFiniteKeys : HipNonFiniteKeysConformance
{
    protected override IDevice CreateDevice(int numThreads) => HipDevices.Create(EmulatedGpu.Gfx1100);
}
