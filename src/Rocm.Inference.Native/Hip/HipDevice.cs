using Rocm.Inference.Native.Handles;
using Rocm.Inference.Native.Interop;

namespace Rocm.Inference.Native.Hip;

/// <summary>
/// One GPU: makes everything that lives on it. Owns nothing itself. Members may be called from any thread; each makes the device current for its
/// own duration where HIP wants that.
/// </summary>
internal sealed unsafe class HipDevice(HipDeviceInfo info, Version runtimeVersion, HandleLedger? ledger)
{
    internal HipDeviceInfo Info => info;

    internal int Ordinal => info.Ordinal;

    /// <summary>Version of the HIP runtime, part of the identity of what hipRTC compiles.</summary>
    internal Version RuntimeVersion => runtimeVersion;

    internal HandleLedger? Ledger => ledger;

    /// <summary>Makes the device the calling thread's current one; worker threads do so once.</summary>
    internal void MakeCurrent() => HipStatus.ThrowIfFailed(HipApi.hipSetDevice(Ordinal), Ordinal);

    /// <summary>Waits for all work of the device.</summary>
    /// <exception cref="HipException">The wait failed, or work before it did.</exception>
    internal void Synchronize()
    {
        using DeviceScope scope = DeviceScope.Enter(Ordinal);
        HipStatus.ThrowIfFailed(HipApi.hipDeviceSynchronize(), Ordinal);
    }

    /// <summary>Bytes that are free now and that the device has.</summary>
    internal (long Free, long Total) Memory()
    {
        using DeviceScope scope = DeviceScope.Enter(Ordinal);
        nuint free, total;
        HipStatus.ThrowIfFailed(HipApi.hipMemGetInfo(&free, &total), Ordinal);
        return ((long)free, (long)total);
    }

    /// <summary>Allocates device memory; its content is undefined. May wait for the device: not for the token loop.</summary>
    /// <exception cref="HipOutOfMemoryException">There is no room.</exception>
    internal DeviceMemoryHandle Allocate(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bytes, 1);
        var memory = new DeviceMemoryHandle(bytes, ledger);
        using DeviceScope scope = DeviceScope.Enter(Ordinal);
        nint pointer;
        HipStatus.ThrowIfNotAllocated(HipApi.hipMalloc(&pointer, (nuint)bytes), bytes, Ordinal);
        memory.Adopt(pointer);
        return memory;
    }

    /// <summary>Allocates page-locked host memory; its content is undefined.</summary>
    /// <exception cref="HipOutOfMemoryException">There is no room.</exception>
    internal PinnedMemoryHandle AllocatePinned(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bytes, 1);
        var memory = new PinnedMemoryHandle(bytes, ledger);
        using DeviceScope scope = DeviceScope.Enter(Ordinal);
        nint pointer;
        HipStatus.ThrowIfNotAllocated(HipApi.hipHostMalloc(&pointer, (nuint)bytes, 0), bytes, Ordinal);
        memory.Adopt(pointer);
        return memory;
    }

    /// <summary>Creates a pool for <see cref="HipStream.Allocate"/>.</summary>
    /// <param name="releaseThreshold">Bytes that the pool keeps for later allocations when they are free; <see cref="long.MaxValue"/> keeps all.</param>
    /// <exception cref="HipException">The device has no pools, see <see cref="HipDeviceInfo.SupportsMemoryPools"/>.</exception>
    internal HipMemoryPool CreatePool(long releaseThreshold = long.MaxValue)
    {
        if (info.SupportsMemoryPools) return HipMemoryPool.Create(this, releaseThreshold);
        throw new HipException($"Device {Ordinal}, {info.Name}, has no stream-ordered allocator with this runtime (HIP {runtimeVersion}); use Allocate.");
    }

    /// <summary>Creates a stream that does not wait for the null stream.</summary>
    internal HipStream CreateStream()
    {
        var handle = new StreamHandle(ledger);
        using DeviceScope scope = DeviceScope.Enter(Ordinal);
        nint stream;
        HipStatus.ThrowIfFailed(HipApi.hipStreamCreateWithFlags(&stream, HipApi.StreamNonBlocking), Ordinal);
        handle.Adopt(stream);
        return new HipStream(this, handle);
    }

    /// <summary>Creates an event.</summary>
    /// <param name="timed">Records the time too; an event that only orders is cheaper.</param>
    internal HipEvent CreateEvent(bool timed = false)
    {
        var handle = new EventHandle(ledger);
        using DeviceScope scope = DeviceScope.Enter(Ordinal);
        nint created;
        HipStatus.ThrowIfFailed(HipApi.hipEventCreateWithFlags(&created, timed ? 0 : HipApi.EventDisableTiming), Ordinal);
        handle.Adopt(created);
        return new HipEvent(this, handle);
    }

    /// <summary>Loads a code object; the bytes are copied.</summary>
    /// <exception cref="HipException">It is for another architecture, damaged, or newer than the runtime; the message says which.</exception>
    internal HipModule LoadModule(ReadOnlySpan<byte> image) => HipModule.Load(this, image);
}
