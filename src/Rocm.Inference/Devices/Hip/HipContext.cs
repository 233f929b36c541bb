using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Rocm.Inference.Native.Handles;
using Rocm.Inference.Native.Hip;

namespace Rocm.Inference.Devices.Hip;

/// <summary>
/// A lane of a GPU: one stream, and page-locked staging memory that uploads pass through, so that neither side waits for the other. Staging is taken
/// by bumping an offset and is free again after every <see cref="Synchronize"/>: once a step.
/// </summary>
internal sealed partial class HipContext : DeviceContext
{
    private const long StagingBytes = 4L << 20;
    private const long Alignment = 64;

    private readonly PinnedMemoryHandle _staging;
    private long _staged;
    private HipSamplingMemory? _samplingMemory;
    private long _fetched;
    private int _fetchedBytes;

    /// <summary>Takes ownership of the arena.</summary>
    public HipContext(HipGpu gpu, DeviceBuffer arena)
        : base(gpu, arena)
    {
        Gpu = gpu;
        _staging = gpu.Native.AllocatePinned(StagingBytes);
        try
        {
            Stream = gpu.Native.CreateStream();
        }
        catch
        {
            _staging.Dispose();
            throw;
        }
    }

    public HipGpu Gpu { get; }

    public HipStream Stream { get; }

    /// <summary>Memory of the sampler; empty until it asks for some.</summary>
    public HipSamplingMemory SamplingMemory => _samplingMemory ??= new HipSamplingMemory(Gpu);

    /// <summary>The lane of a context that was made by a <see cref="HipGpu"/>.</summary>
    /// <exception cref="ArgumentException">It belongs to another kind of device.</exception>
    public static HipContext Of(DeviceContext context) => context as HipContext
        ?? throw new ArgumentException($"A context of a HIP device is expected, found one of {context.Device.Name}.", nameof(context));

    /// <summary>Enqueues a kernel; the arguments are copied.</summary>
    /// <typeparam name="TArgs">The kernel's argument struct, field by field as in its source.</typeparam>
    /// <param name="kernel">The kernel.</param>
    /// <param name="grid">Extent in groups; nothing is enqueued when it is empty.</param>
    /// <param name="threads">Threads of a group.</param>
    /// <param name="args">The arguments.</param>
    /// <param name="ldsBytes">Local memory of a group besides the static one.</param>
    public void Launch<TArgs>(HipFunction kernel, HipDim3 grid, int threads, in TArgs args, int ldsBytes = 0)
        where TArgs : unmanaged
    {
        if (grid.Volume == 0 || _isRefreshing) return;
        kernel.Launch(Stream, grid, new HipDim3((uint)threads), ldsBytes, MemoryMarshal.AsBytes(new ReadOnlySpan<TArgs>(in args)));
    }

    public override void Synchronize()
    {
        Stream.Synchronize();
        _staged = 0;
    }

    public override void Upload<T>(ReadOnlySpan<T> source, TensorView destination)
    {
        Check<T>(source.Length, destination);
        ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(source);
        var memory = (MemoryHandle)destination.Buffer.Handle;
        for (int done = 0; done < bytes.Length;)
        {
            int part = (int)Math.Min(bytes.Length - done, StagingBytes);
            long offset = Stage(part);
            bytes.Slice(done, part).CopyTo(_staging.Span(offset, part));
            if (!_isRefreshing) Stream.Copy(memory, destination.ByteOffset + done, _staging, offset, part);
            done += part;
        }
    }

    public override void Download<T>(TensorView source, Span<T> destination)
    {
        Check<T>(destination.Length, source);
        Span<byte> bytes = MemoryMarshal.AsBytes(destination);
        var memory = (MemoryHandle)source.Buffer.Handle;
        for (int done = 0; done < bytes.Length;)
        {
            int part = (int)Math.Min(bytes.Length - done, StagingBytes);
            long offset = Stage(part);
            Stream.Copy(_staging, offset, memory, source.ByteOffset + done, part);
            Synchronize();
            _staging.Span(offset, part).CopyTo(bytes[done..]);
            done += part;
        }
    }

    /// <summary>
    /// Enqueues a copy to the staging memory, to be read with <see cref="Fetched"/> after <see cref="Synchronize"/> and before anything else is staged.
    /// </summary>
    /// <param name="source">A contiguous view.</param>
    public void Fetch(TensorView source)
    {
        _fetchedBytes = checked((int)(source.Count * source.DType.ByteSize()));
        _fetched = Stage(_fetchedBytes);
        if (!_isRefreshing) Stream.Copy(_staging, _fetched, (MemoryHandle)source.Buffer.Handle, source.ByteOffset, _fetchedBytes);
    }

    /// <summary>What was fetched last.</summary>
    public ReadOnlySpan<T> Fetched<T>()
        where T : unmanaged => MemoryMarshal.Cast<byte, T>(_staging.Span(_fetched, _fetchedBytes));

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            // Releasing a stream and page-locked memory waits for the work that uses them.
            Stream.Dispose();
            _staging.Dispose();
            _samplingMemory?.Dispose();
        }

        base.Dispose(disposing);
    }

    private long Stage(int bytes)
    {
        if (_staged + bytes > StagingBytes)
        {
            ThrowIfRecording();
            Synchronize();
        }

        long offset = _staged;
        _staged = Math.Min(StagingBytes, (_staged + bytes + Alignment - 1) & ~(Alignment - 1));
        return offset;
    }

    private static void Check<T>(int length, TensorView view)
    {
        if (length != view.Count || Unsafe.SizeOf<T>() != view.DType.ByteSize() || !view.IsContiguous)
            throw new ArgumentException($"{length} elements of {Unsafe.SizeOf<T>()} bytes do not match {view}, which must be contiguous.", nameof(length));
    }
}
