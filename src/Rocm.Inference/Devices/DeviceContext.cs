using Rocm.Inference.Devices;

namespace Rocm.Inference;

/// <summary>
/// One lane of execution on a device: every op runs in the order in which it was given to its context. Carries the scratch arena:
/// memory for the intermediate tensors of one step, handed out by bumping a pointer and taken back all at once. Not thread-safe:
/// one thread drives a context.
/// </summary>
public abstract class DeviceContext : IDisposable
{
    private const int Alignment = 64;
    private readonly DeviceBuffer _arena;
    private long _used;

    private protected DeviceContext(IDevice device, DeviceBuffer arena)
    {
        Device = device;
        _arena = arena;
    }

    /// <summary>The device that executes.</summary>
    public IDevice Device { get; }

    /// <summary>Size of the arena in bytes.</summary>
    public long ArenaBytes => _arena.SizeBytes;

    /// <summary>Most bytes of the arena that were in use at once since creation.</summary>
    public long PeakArenaBytes { get; private set; }

    /// <summary>Takes scratch memory from the arena. The content is undefined. Never allocates managed memory.</summary>
    /// <param name="dtype">Element type.</param>
    /// <param name="shape">Dimensions, outermost first.</param>
    /// <exception cref="InvalidOperationException">The arena is too small: a planning error of the caller.</exception>
    public TensorView Scratch(DType dtype, params ReadOnlySpan<long> shape)
    {
        long count = 1;
        foreach (long dim in shape) count = checked(count * dim);
        long offset = _used;
        long end = checked(offset + (count * dtype.ByteSize()));
        if (end > _arena.SizeBytes)
            throw new InvalidOperationException($"The scratch arena of {_arena.SizeBytes} bytes is too small: {end} bytes are needed.");
        _used = (end + Alignment - 1) & ~(long)(Alignment - 1);
        PeakArenaBytes = Math.Max(PeakArenaBytes, end);
        return new TensorView(_arena, offset, dtype, shape);
    }

    /// <summary>Remembers the fill level of the arena; give it to <see cref="Release"/> when the tensors taken since are no longer needed.</summary>
    public long Mark() => _used;

    /// <summary>Takes back everything handed out since <paramref name="mark"/>.</summary>
    /// <param name="mark">A value of <see cref="Mark"/>.</param>
    public void Release(long mark) => _used = mark;

    /// <summary>Waits until everything given to this context has been executed.</summary>
    public abstract void Synchronize();

    /// <summary>Copies host memory to the device in the context's order; the source may be reused when the call returns.</summary>
    /// <typeparam name="T">Element type, of the size of the destination's elements.</typeparam>
    /// <param name="source">Host elements.</param>
    /// <param name="destination">A contiguous view with exactly as many elements.</param>
    public abstract void Upload<T>(ReadOnlySpan<T> source, TensorView destination)
        where T : unmanaged;

    /// <summary>Copies device memory to the host and waits for it.</summary>
    /// <typeparam name="T">Element type, of the size of the source's elements.</typeparam>
    /// <param name="source">A contiguous view.</param>
    /// <param name="destination">Host memory with exactly as many elements.</param>
    public abstract void Download<T>(TensorView source, Span<T> destination)
        where T : unmanaged;

    /// <summary>Whether <see cref="Record"/> works here.</summary>
    internal virtual bool CanRecord => false;

    /// <summary>
    /// Records what is given to this context, without executing it. Addresses and sizes become part of the recording; uploads are made anew by every
    /// <see cref="Replay"/>. The work must not wait for the device.
    /// </summary>
    /// <param name="state">Passed to <paramref name="work"/>.</param>
    /// <param name="work">Gives the work to this context.</param>
    /// <exception cref="HipException">Something in the work cannot be recorded; the context can be used on.</exception>
    internal virtual IRecordedWork Record<TState>(TState state, Action<TState> work) =>
        throw new NotSupportedException($"{Device.Name} does not record.");

    /// <summary>Executes recorded work with other contents of its uploads, by one call to the device.</summary>
    /// <param name="recorded">A recording of this context.</param>
    /// <param name="state">Passed to <paramref name="refresh"/>.</param>
    /// <param name="refresh">Makes the same uploads as the recorded work, of the same sizes and in the same order.</param>
    /// <exception cref="InvalidOperationException">The uploads differ from the recorded ones in size.</exception>
    internal virtual void Replay<TState>(IRecordedWork recorded, TState state, Action<TState> refresh) =>
        throw new NotSupportedException($"{Device.Name} does not record.");

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Releases the arena and what the device adds.</summary>
    /// <param name="disposing">True from <see cref="Dispose()"/>.</param>
    protected virtual void Dispose(bool disposing)
    {
        if (disposing) _arena.Dispose();
    }
}
