using Rocm.Inference.Native.Handles;
using Rocm.Inference.Native.Interop;

namespace Rocm.Inference.Native.Hip;

/// <summary>Recorded device work, see <see cref="HipStream.Record{TState}"/>.</summary>
internal sealed unsafe class HipGraph(HipDevice device, GraphHandle handle) : IDisposable
{
    internal GraphHandle Handle => handle;

    internal int CountNodes()
    {
        nuint count;
        HipStatus.ThrowIfFailed(HipApi.hipGraphGetNodes(handle, null, &count), device.Ordinal);
        return (int)count;
    }

    /// <summary>Makes the executable form, which keeps this graph alive.</summary>
    internal HipGraphExec Instantiate()
    {
        var executable = new GraphExecHandle(handle, device.Ordinal, device.Ledger);
        try
        {
            using DeviceScope scope = DeviceScope.Enter(device.Ordinal);
            nint instance;
            HipStatus.ThrowIfFailed(HipApi.hipGraphInstantiate(&instance, handle, null, null, 0), device.Ordinal);
            executable.Adopt(instance);
            return new HipGraphExec(device, executable);
        }
        catch
        {
            executable.Dispose();
            throw;
        }
    }

    public void Dispose() => handle.Dispose();
}
