using Rocm.Inference.Devices;

namespace Rocm.Inference.TestKit.Fakes;

/// <summary>A device that computes like another and remembers: which attention primitives ran, what was allocated and uploaded.</summary>
/// <param name="inner">The other.</param>
/// <param name="planBytes">See <see cref="SpyKernels"/>.</param>
internal sealed class SpyDevice(IDevice inner, long planBytes = 0) : IDevice
{
    private readonly SpyKernels _kernels = new(inner.AttentionKernels, planBytes);

    /// <summary>Attention primitives in the order of their calls; the test clears it.</summary>
    public List<SpyCall> Calls => _kernels.Calls;

    /// <summary>Buffers allocated so far.</summary>
    public int NumAllocations { get; private set; }

    /// <summary>Bytes uploaded through contexts so far.</summary>
    public long UploadedBytes { get; private set; }

    public DeviceKind Kind => inner.Kind;

    public string Name => inner.Name;

    public string Architecture => inner.Architecture;

    public int ComputeUnits => inner.ComputeUnits;

    public long TotalMemoryBytes => inner.TotalMemoryBytes;

    public long AvailableMemoryBytes => inner.AvailableMemoryBytes;

    public DType ActivationDType => inner.ActivationDType;

    IKernels IDevice.Kernels => inner.Kernels;

    IAttentionKernels IDevice.AttentionKernels => _kernels;

    ISamplingKernels IDevice.SamplingKernels => inner.SamplingKernels;

    public DeviceBuffer Allocate(long sizeBytes)
    {
        NumAllocations++;
        return inner.Allocate(sizeBytes);
    }

    public DeviceContext CreateContext(long arenaBytes) => new SpyContext(this, inner.Allocate(arenaBytes));

    PackedWeight IDevice.Pack(in WeightSource source) => inner.Pack(source);

    PackedWeightGroup IDevice.PackGroup(ReadOnlySpan<WeightSource> members) => inner.PackGroup(members);

    /// <summary>The inner device is its creator's.</summary>
    public void Dispose()
    {
    }

    private sealed class SpyContext(SpyDevice device, DeviceBuffer arena) : DeviceContext(device, arena)
    {
        public override void Synchronize()
        {
        }

        public override void Upload<T>(ReadOnlySpan<T> source, TensorView destination)
        {
            device.UploadedBytes += destination.Count * destination.DType.ByteSize();
            source.CopyTo(destination.AsSpan<T>());
        }

        public override void Download<T>(TensorView source, Span<T> destination) => source.AsSpan<T>().CopyTo(destination);
    }
}
