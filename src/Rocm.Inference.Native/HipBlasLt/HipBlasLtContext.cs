using Rocm.Inference.Native.Handles;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Interop;

namespace Rocm.Inference.Native.HipBlasLt;

/// <summary>hipBLASLt on one device. Optional: <see cref="TryCreate"/> says why it is not there.</summary>
internal sealed unsafe class HipBlasLtContext : IDisposable
{
    // 0.7 (ROCm 6.1) took over hipDataType; before, the same functions had types with other numbers.
    private const int OldestVersion = 700;

    private HipBlasLtContext(HipDevice device, BlasLtHandle handle, int version) => (Device, Handle, Version) = (device, handle, version);

    internal HipDevice Device { get; }

    internal BlasLtHandle Handle { get; }

    /// <summary>major * 100000 + minor * 100 + patch.</summary>
    internal int Version { get; }

    /// <summary>Makes a context when the library is there and new enough.</summary>
    /// <param name="runtimePath">The libamdhip64 in use.</param>
    /// <param name="device">The device.</param>
    /// <param name="reason">Why there is none, as a sentence; empty otherwise.</param>
    /// <exception cref="HipException">The library is there but fails.</exception>
    internal static HipBlasLtContext? TryCreate(string runtimePath, HipDevice device, out string reason)
    {
        LibraryLoad load = CompanionLibrary.Load(RocmLibrary.HipBlasLt, runtimePath);
        if (!load.IsLoaded)
        {
            reason = $"hipBLASLt was not found. Tried: {string.Join("; ", load.Attempts)}";
            return null;
        }

        var handle = new BlasLtHandle(device.Ledger);
        try
        {
            using DeviceScope scope = DeviceScope.Enter(device.Ordinal);
            nint created;
            HipBlasLtStatus.ThrowIfFailed(HipBlasLtApi.hipblasLtCreate(&created), device.Ordinal);
            handle.Adopt(created);
            int version;
            HipBlasLtStatus.ThrowIfFailed(HipBlasLtApi.hipblasLtGetVersion(handle, &version), device.Ordinal);
            reason = version >= OldestVersion ? "" : $"{load.Path} has version {version}; {OldestVersion} (ROCm 6.1) or later is needed.";
            if (reason.Length == 0) return new HipBlasLtContext(device, handle, version);
            handle.Dispose();
            return null;
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    public void Dispose() => Handle.Dispose();
}
