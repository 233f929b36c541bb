using System.Security.Cryptography;
using Rocm.Inference.Native.Hip;

namespace Rocm.Inference.Native.Aiter;

/// <summary>A verified kernel, loaded onto a device. Belongs to its library.</summary>
internal sealed class AiterKernel : IDisposable
{
    private readonly HipModule _module;
    private readonly HipFunction _function;
    private readonly HipDim3 _block;

    internal AiterKernel(HipDevice device, ReadOnlySpan<byte> image, AiterVerifiedKernel verified, int blockThreads)
    {
        _module = device.LoadModule(image);
        try
        {
            _function = _module.GetFunction(verified.Kernel.Symbol, (int)verified.Kernel.KernargBytes);
        }
        catch
        {
            _module.Dispose();
            throw;
        }

        (_block, Symbol, Layout) = (new HipDim3((uint)blockThreads), verified.Kernel.Symbol, verified.Layout);
        Fingerprint = Convert.ToHexStringLower(SHA256.HashData(image));
        KernargBytes = Math.Max((int)verified.Kernel.KernargBytes, HostBytesOf(verified.Layout));
    }

    internal string Symbol { get; }

    internal AiterArgumentLayout Layout { get; }

    /// <summary>SHA-256 of the code object, hexadecimal: what tells versions of a kernel apart.</summary>
    internal string Fingerprint { get; }

    /// <summary>What a launch hands over: the layout, or what the kernel declares where that is more.</summary>
    internal int KernargBytes { get; }

    /// <summary>Enqueues the kernel. Allocates nothing; the arguments are copied before the call returns.</summary>
    /// <exception cref="HipException">The launch failed.</exception>
    internal void Launch(HipStream stream, HipDim3 grid, ReadOnlySpan<byte> kernarg) => _function.Launch(stream, grid, _block, sharedBytes: 0, kernarg[..KernargBytes]);

    public void Dispose()
    {
        _function.Dispose();
        _module.Dispose();
    }

    private static int HostBytesOf(AiterArgumentLayout layout) => layout switch
    {
        AiterArgumentLayout.Paged or AiterArgumentLayout.PagedWithGqa or AiterArgumentLayout.PagedWithQueryOffsets => 272,
        AiterArgumentLayout.LegacyPagedWithGqa or AiterArgumentLayout.LegacyPagedWithQueryOffsets or AiterArgumentLayout.ScaledGemm => 256,
        AiterArgumentLayout.FusedExperts => 448,
        AiterArgumentLayout.Flash or AiterArgumentLayout.FlashWithDescale => 656,
        _ => 368,
    };
}
