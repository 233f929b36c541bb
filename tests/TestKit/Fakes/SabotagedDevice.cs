using Rocm.Inference.Devices;
using Rocm.Inference.Sampling;

namespace Rocm.Inference.TestKit.Fakes;

/// <summary>What a sabotaged kernel does.</summary>
internal enum Sabotage
{
    /// <summary>The first element of its result is wrong.</summary>
    WrongElement,

    /// <summary>The byte behind its result is written.</summary>
    Overrun,

    /// <summary>It throws <see cref="NotSupportedException"/>.</summary>
    Missing,

    /// <summary>It throws another exception.</summary>
    Crash,
}

/// <summary>A CPU device in which one kernel is broken.</summary>
/// <param name="inner">Computes; its creator's.</param>
/// <param name="kernel">Name of the broken op, or null: none is.</param>
/// <param name="sabotage">What it does.</param>
/// <param name="kind">What kind of device it says it is.</param>
internal sealed class SabotagedDevice(IDevice inner, string? kernel, Sabotage sabotage = Sabotage.WrongElement, DeviceKind kind = DeviceKind.Cpu) : IDevice
{
    /// <summary>Buffers, contexts and weights that were handed out.</summary>
    public List<Func<bool>> Alive { get; } = [];

    public DeviceKind Kind => kind;

    public string Name => "sabotaged";

    public string Architecture => inner.Architecture;

    public int ComputeUnits => inner.ComputeUnits;

    public long TotalMemoryBytes => inner.TotalMemoryBytes;

    public long AvailableMemoryBytes => inner.AvailableMemoryBytes;

    public DType ActivationDType => inner.ActivationDType;

    IKernels IDevice.Kernels => new SabotagedKernels(inner.Kernels, Wrap);

    IAttentionKernels IDevice.AttentionKernels => new SabotagedAttentionKernels(inner.AttentionKernels, Wrap);

    ISamplingKernels IDevice.SamplingKernels => new SabotagedSampling(inner.SamplingKernels, kernel == nameof(ISamplingKernels.Sample));

    public DeviceBuffer Allocate(long sizeBytes)
    {
        DeviceBuffer buffer = inner.Allocate(sizeBytes);
        Alive.Add(() => !buffer.IsDisposed);
        return buffer;
    }

    public DeviceContext CreateContext(long arenaBytes) => new LentContext(this, Allocate(arenaBytes), inner.CreateContext(0));

    PackedWeight IDevice.Pack(in WeightSource source) => inner.Pack(source);

    PackedWeightGroup IDevice.PackGroup(ReadOnlySpan<WeightSource> members) => inner.PackGroup(members);

    public void Dispose()
    {
    }

    /// <summary>Runs an op and breaks it if it is the one.</summary>
    private unsafe void Wrap(string name, TensorView result, Action run)
    {
        bool isBroken = name == kernel;
        if (isBroken && sabotage == Sabotage.Missing) throw new NotSupportedException($"no {name} here");
        if (isBroken && sabotage == Sabotage.Crash) throw new InvalidOperationException("the driver is gone");
        run();
        if (!isBroken || result.Count == 0) return;
        long last = 0;
        for (int i = 0; i < result.Rank; i++) last += (result.Dim(i) - 1) * result.Stride(i);
        if (sabotage == Sabotage.Overrun) *(byte*)(result.Address + (nint)((last + 1) * result.DType.ByteSize())) ^= 1;
        else if (result.DType == DType.F32) *(float*)result.Address += 0.5f;
        else *(byte*)result.Address ^= 0x10;
    }

    private sealed class LentContext(IDevice device, DeviceBuffer arena, DeviceContext inner) : DeviceContext(device, arena)
    {
        public override void Synchronize() => inner.Synchronize();

        public override void Upload<T>(ReadOnlySpan<T> source, TensorView destination) => inner.Upload(source, destination);

        public override void Download<T>(TensorView source, Span<T> destination) => inner.Download(source, destination);

        protected override void Dispose(bool disposing)
        {
            if (disposing) inner.Dispose();
            base.Dispose(disposing);
        }
    }

    private sealed class SabotagedSampling(ISamplingKernels inner, bool isBroken) : ISamplingKernels
    {
        public void Sample(DeviceContext context, TensorView logits, SamplingBatch batch)
        {
            inner.Sample(context, logits, batch);
            if (isBroken) batch.SampledIds[batch.NumRows - 1] ^= 1;
        }
    }
}
