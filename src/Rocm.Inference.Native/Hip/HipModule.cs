using Rocm.Inference.Native.Handles;
using Rocm.Inference.Native.Interop;

namespace Rocm.Inference.Native.Hip;

/// <summary>A loaded code object. Its functions keep it loaded; unloading waits for the device.</summary>
internal sealed unsafe class HipModule : IDisposable
{
    private readonly HipDevice _device;

    private HipModule(HipDevice device, HipModuleHandle handle) => (_device, Handle) = (device, handle);

    internal HipModuleHandle Handle { get; }

    internal static HipModule Load(HipDevice device, ReadOnlySpan<byte> image)
    {
        if (image.IsEmpty) throw new ArgumentException("A code object is expected, but there are no bytes.", nameof(image));
        HipCodeObject identity = HipCodeObject.Read(image);
        var handle = new HipModuleHandle(image, device.Ordinal, device.Ledger);
        try
        {
            using DeviceScope scope = DeviceScope.Enter(device.Ordinal);
            nint module;
            HipStatus.ThrowIfFailed(
                HipApi.hipModuleLoadData(&module, handle.Image), device.Ordinal, () => identity.Explain(device.Info, device.RuntimeVersion));
            handle.Adopt(module);
            return new HipModule(device, handle);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>Finds a kernel.</summary>
    /// <param name="name">Its symbol.</param>
    /// <param name="kernargBytes">
    /// The size of its arguments where the caller knows it: older runtimes read that much whatever is given, so shorter arguments are refused. 0 checks nothing.
    /// </param>
    /// <exception cref="HipException">The module has no such kernel.</exception>
    internal HipFunction GetFunction(string name, int kernargBytes = 0)
    {
        var handle = new FunctionHandle(Handle, _device.Ledger);
        try
        {
            nint function;
            HipStatus.ThrowIfFailed(
                HipApi.hipModuleGetFunction(&function, Handle, name), _device.Ordinal, () => $"The kernel asked for is '{name}'.");
            handle.Adopt(function);
            return new HipFunction(_device, handle, name, kernargBytes);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    public void Dispose() => Handle.Dispose();
}
