using System.Runtime.InteropServices;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Interop;

namespace Rocm.Inference.Native.Handles;

/// <summary>
/// A hipModule_t and the image it was loaded from: the runtime keeps the address it was given and may read it again until the module is unloaded.
/// </summary>
internal sealed unsafe class HipModuleHandle : NativeHandle
{
    // What the ELF loader of the runtime would see in a mapped file.
    private const nuint ImageAlignment = 4096;

    private readonly int _device;
    private void* _image;

    internal HipModuleHandle(ReadOnlySpan<byte> image, int device, HandleLedger? ledger)
        : base(HandleKind.Module, ledger)
    {
        _device = device;
        _image = NativeMemory.AlignedAlloc((nuint)image.Length, ImageAlignment);
        image.CopyTo(new Span<byte>(_image, image.Length));
    }

    internal void* Image => _image;

    // A running kernel would lose its code.
    protected override bool Destroy(nint native)
    {
        DeviceScope.SynchronizeQuietly(_device);
        return HipApi.hipModuleUnload(native) == HipStatus.Success;
    }

    protected override void ReleaseHeld()
    {
        base.ReleaseHeld();
        NativeMemory.AlignedFree(_image);
        _image = null;
    }
}
