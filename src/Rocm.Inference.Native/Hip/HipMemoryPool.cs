using Rocm.Inference.Native.Handles;
using Rocm.Inference.Native.Interop;

namespace Rocm.Inference.Native.Hip;

/// <summary>Device memory that streams allocate from in their own order, see <see cref="HipStream.Allocate"/>.</summary>
internal sealed unsafe class HipMemoryPool : IDisposable
{
    private readonly HipDevice _device;

    private HipMemoryPool(HipDevice device, MemoryPoolHandle handle) => (_device, Handle) = (device, handle);

    internal MemoryPoolHandle Handle { get; }

    /// <summary>Bytes that the pool has taken from the device.</summary>
    internal long ReservedBytes => Attribute(HipMemPoolAttribute.ReservedCurrent);

    /// <summary>Bytes that are allocated from the pool.</summary>
    internal long UsedBytes => Attribute(HipMemPoolAttribute.UsedCurrent);

    internal static HipMemoryPool Create(HipDevice device, long releaseThreshold)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(releaseThreshold);
        var handle = new MemoryPoolHandle(device.Ledger);
        var properties = new HipMemPoolProps { AllocationType = HipMemPoolProps.Pinned, LocationType = HipMemPoolProps.Device, LocationId = device.Ordinal };
        try
        {
            using DeviceScope scope = DeviceScope.Enter(device.Ordinal);
            nint pool;
            HipStatus.ThrowIfFailed(HipApi.hipMemPoolCreate(&pool, &properties), device.Ordinal);
            handle.Adopt(pool);
            ulong threshold = (ulong)releaseThreshold;
            HipStatus.ThrowIfFailed(HipApi.hipMemPoolSetAttribute(handle, HipMemPoolAttribute.ReleaseThreshold, &threshold), device.Ordinal);
            return new HipMemoryPool(device, handle);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>Gives free memory back to the device until the pool holds no more than this.</summary>
    internal void Trim(long minBytes) => HipStatus.ThrowIfFailed(HipApi.hipMemPoolTrimTo(Handle, (nuint)minBytes), _device.Ordinal);

    public void Dispose() => Handle.Dispose();

    private long Attribute(HipMemPoolAttribute attribute)
    {
        ulong value;
        HipStatus.ThrowIfFailed(HipApi.hipMemPoolGetAttribute(Handle, attribute, &value), _device.Ordinal);
        return (long)value;
    }
}
