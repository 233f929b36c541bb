using Microsoft.Extensions.Logging;
using Rocm.Inference.Devices.Cpu;

namespace Rocm.Inference.Engine;

/// <summary>
/// The CPU devices of the process, one for each number of threads, counted by their users: sessions that run side by side share worker threads instead
/// of fighting for processors. The last user's <see cref="Dispose"/> ends the threads.
/// </summary>
internal sealed class SharedCpuDevice : IDisposable
{
    // Process-wide because processors are: two crews of one process would oversubscribe them.
    private static readonly Lock Gate = new();
    private static readonly Dictionary<int, (CpuDevice Device, int Users)> Devices = [];

    private readonly int _key;
    private bool _isDisposed;

    private SharedCpuDevice(int key, CpuDevice device)
    {
        _key = key;
        Device = device;
    }

    public CpuDevice Device { get; }

    /// <summary>Takes a share in a device.</summary>
    /// <param name="numThreads">Its number of threads; null = as many as the process may use.</param>
    /// <param name="logger">Told what the device found, if it has to be made.</param>
    public static SharedCpuDevice Acquire(int? numThreads, ILogger? logger = null)
    {
        int key = numThreads ?? 0;
        lock (Gate)
        {
            (CpuDevice device, int users) = Devices.TryGetValue(key, out (CpuDevice Device, int Users) entry)
                ? entry : (new CpuDevice(new CpuDeviceOptions { NumThreads = key, Logger = logger }), 0);
            Devices[key] = (device, users + 1);
            return new SharedCpuDevice(key, device);
        }
    }

    public void Dispose()
    {
        lock (Gate)
        {
            if (_isDisposed) return;
            _isDisposed = true;
            (CpuDevice device, int users) = Devices[_key];
            if (users > 1)
            {
                Devices[_key] = (device, users - 1);
                return;
            }

            Devices.Remove(_key);
            device.Dispose();
        }
    }
}
