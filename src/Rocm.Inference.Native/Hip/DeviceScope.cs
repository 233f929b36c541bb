using Rocm.Inference.Native.Interop;

namespace Rocm.Inference.Native.Hip;

/// <summary>Makes a device current on the calling thread, for calls that create something on "the current device", and puts back the one before.</summary>
internal readonly ref struct DeviceScope
{
    private const int Unchanged = -1;
    private readonly int _previous;

    private DeviceScope(int previous) => _previous = previous;

    /// <exception cref="HipException">The device cannot be made current.</exception>
    internal static unsafe DeviceScope Enter(int device)
    {
        int previous;
        HipStatus.ThrowIfFailed(HipApi.hipGetDevice(&previous), device);
        if (previous == device) return new DeviceScope(Unchanged);
        HipStatus.ThrowIfFailed(HipApi.hipSetDevice(device), device);
        return new DeviceScope(previous);
    }

    /// <summary>Waits for all work of a device; failures are left to whoever asks the device next.</summary>
    internal static unsafe void SynchronizeQuietly(int device)
    {
        int previous;
        if (HipApi.hipGetDevice(&previous) != HipStatus.Success) return;
        if (previous != device && HipApi.hipSetDevice(device) != HipStatus.Success) return;
        _ = HipApi.hipDeviceSynchronize();
        if (previous != device) _ = HipApi.hipSetDevice(previous);
    }

    /// <summary>Never throws: the call inside the scope has succeeded, or its own error is on the way.</summary>
    public void Dispose()
    {
        if (_previous != Unchanged) _ = HipApi.hipSetDevice(_previous);
    }
}
