using Rocm.Inference.Devices;
using Rocm.Inference.Devices.Cpu;

namespace Rocm.Inference.TestKit.Fakes;

/// <summary>A device that keeps account of what it hands out, for tests of loading. It packs nothing and computes nothing.</summary>
internal sealed class RecordingDevice : IDevice
{
    private readonly CpuDevice _memory = new(new CpuDeviceOptions { NumThreads = 1 });
    private readonly List<DeviceBuffer> _buffers = [];

    /// <summary>What <see cref="PackedWeight.SharesSource"/> of packed weights says.</summary>
    public bool SharesSource { get; init; }

    /// <summary>Called before each weight or group is packed, with the number of those before it.</summary>
    public Action<int>? Packing { get; init; }

    public List<RecordedWeight> Weights { get; } = [];

    public List<RecordedGroup> Groups { get; } = [];

    public int LiveWeights => Weights.Count(weight => !weight.IsDisposed) + Groups.Count(group => !group.IsDisposed);

    public int LiveBuffers => _buffers.Count(buffer => !buffer.IsDisposed);

    public DeviceKind Kind => DeviceKind.Cpu;

    public string Name => "recording";

    public string Architecture => "none";

    public int ComputeUnits => 1;

    public long TotalMemoryBytes => _memory.TotalMemoryBytes;

    public long AvailableMemoryBytes => _memory.AvailableMemoryBytes;

    public DType ActivationDType => DType.F32;

    IKernels IDevice.Kernels => throw new NotSupportedException("This device does not compute.");

    IAttentionKernels IDevice.AttentionKernels => throw new NotSupportedException("This device does not compute.");

    ISamplingKernels IDevice.SamplingKernels => throw new NotSupportedException("This device does not compute.");

    public DeviceBuffer Allocate(long sizeBytes)
    {
        DeviceBuffer buffer = _memory.Allocate(sizeBytes);
        _buffers.Add(buffer);
        return buffer;
    }

    public DeviceContext CreateContext(long arenaBytes) => new RecordingContext(this, Allocate(arenaBytes));

    PackedWeight IDevice.Pack(in WeightSource source)
    {
        Packing?.Invoke(Weights.Count + Groups.Count);
        var weight = new RecordedWeight(source, SharesSource);
        Weights.Add(weight);
        return weight;
    }

    PackedWeightGroup IDevice.PackGroup(ReadOnlySpan<WeightSource> members)
    {
        Packing?.Invoke(Weights.Count + Groups.Count);
        var group = new RecordedGroup(members.ToArray(), SharesSource);
        Groups.Add(group);
        return group;
    }

    public void Dispose() => _memory.Dispose();

    private sealed class RecordingContext(IDevice device, DeviceBuffer arena) : DeviceContext(device, arena)
    {
        public override void Synchronize()
        {
        }

        public override void Upload<T>(ReadOnlySpan<T> source, TensorView destination) => source.CopyTo(destination.AsSpan<T>());

        public override void Download<T>(TensorView source, Span<T> destination) => source.AsSpan<T>().CopyTo(destination);
    }

    /// <summary>A packed weight that remembers its source.</summary>
    internal sealed class RecordedWeight(WeightSource source, bool sharesSource)
        : PackedWeight(source.Parts.ToArray().Sum(part => part.Rows), source.Parts.Span[0].Columns)
    {
        public WeightSource Source => source;

        public bool IsDisposed { get; private set; }

        public override long SizeBytes => (long)OutputFeatures * InputFeatures * sizeof(float);

        public override bool SharesSource => sharesSource;

        public override void Dispose() => IsDisposed = true;
    }

    /// <summary>A packed group that remembers its sources.</summary>
    internal sealed class RecordedGroup(WeightSource[] members, bool sharesSource)
        : PackedWeightGroup(members.Length, members[0].Parts.ToArray().Sum(part => part.Rows), members[0].Parts.Span[0].Columns)
    {
        public IReadOnlyList<WeightSource> Members => members;

        public bool IsDisposed { get; private set; }

        public override long SizeBytes => (long)Count * OutputFeatures * InputFeatures * sizeof(float);

        public override bool SharesSource => sharesSource;

        public override void Dispose() => IsDisposed = true;
    }
}
