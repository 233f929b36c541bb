using Rocm.Inference.Devices;

namespace Rocm.Inference.TestKit.Fakes;

/// <summary>A device that only has an identity: for code that asks about devices and never computes.</summary>
internal sealed class NamedDevice(DeviceKind kind, string architecture) : IDevice
{
    public DeviceKind Kind => kind;

    public string Name => architecture;

    public string Architecture => architecture;

    public int ComputeUnits => 2;

    public long TotalMemoryBytes => 1L << 34;

    public long AvailableMemoryBytes => 1L << 34;

    public DType ActivationDType => kind == DeviceKind.Cpu ? DType.F32 : DType.BF16;

    IKernels IDevice.Kernels => throw new NotSupportedException("This device does not compute.");

    IAttentionKernels IDevice.AttentionKernels => throw new NotSupportedException("This device does not compute.");

    ISamplingKernels IDevice.SamplingKernels => throw new NotSupportedException("This device does not compute.");

    public DeviceBuffer Allocate(long sizeBytes) => throw new NotSupportedException("This device has no memory.");

    public DeviceContext CreateContext(long arenaBytes) => throw new NotSupportedException("This device does not compute.");

    PackedWeight IDevice.Pack(in WeightSource source) => throw new NotSupportedException("This device has no memory.");

    PackedWeightGroup IDevice.PackGroup(ReadOnlySpan<WeightSource> members) => throw new NotSupportedException("This device has no memory.");

    public void Dispose()
    {
    }
}
