using System.Globalization;
using System.Runtime.CompilerServices;

namespace Rocm.Inference.Native.Aiter;

/// <summary>Holds a code object against what its manifest and this library say of it, before it is loaded.</summary>
internal static class AiterKernelCheck
{
    /// <summary>Bytes that a launch can hand over, far above any layout.</summary>
    internal const int MaxKernargBytes = 1024;

    private const int WaveSize = 64;

    /// <summary>Verifies an image.</summary>
    /// <param name="image">The file's bytes.</param>
    /// <param name="target">The device's architecture: "gfx942".</param>
    /// <param name="symbol">The kernel that the manifest names.</param>
    /// <param name="accepted">Layouts that the launcher can fill.</param>
    /// <param name="blockThreads">Threads of a block that the launcher starts.</param>
    /// <param name="ldsLimit">Local memory that a block may have on the device.</param>
    /// <param name="defect">What differs, as the end of a sentence whose subject is the file.</param>
    /// <returns>The kernel and its layout, or null with a defect.</returns>
    internal static AiterVerifiedKernel? Verify(
        ReadOnlySpan<byte> image, string target, string symbol, ReadOnlySpan<AiterArgumentLayout> accepted, int blockThreads, int ldsLimit, out string defect)
    {
        if (CodeObjectMetadata.Read(image, out defect) is not { } metadata) return null;
        if (metadata.Identity.Target != target) return Fail($"is for {metadata.Identity.Target ?? "an unknown architecture"}, not {target}", out defect);
        if (metadata.Kernels is not [var kernel]) return Fail(Invariant($"has {metadata.Kernels.Length} kernels where one is expected"), out defect);
        if (kernel.Symbol != symbol) return Fail($"has the kernel {kernel.Symbol} where the manifest names {symbol}", out defect);
        if (AiterArgumentLists.LayoutOf(kernel.ArgumentList) is not { } layout)
            return Fail($"takes arguments that this library does not know ({kernel.ArgumentList}): it is newer or older than what was examined", out defect);
        if (!accepted.Contains(layout)) return Fail($"takes arguments laid out as {layout}, which do not serve this operation", out defect);
        if (kernel.ArgumentsEnd > kernel.KernargBytes || kernel.KernargBytes is <= 0 or > MaxKernargBytes)
            return Fail(Invariant($"declares arguments up to {kernel.ArgumentsEnd} in {kernel.KernargBytes} bytes; at most {MaxKernargBytes} are expected"), out defect);
        if (kernel.WaveSize != WaveSize || kernel.ScratchBytes != 0)
            return Fail(Invariant($"wants waves of {kernel.WaveSize} lanes with {kernel.ScratchBytes} bytes of scratch; {WaveSize} lanes and none are expected"), out defect);
        if (kernel.MaxThreads < blockThreads)
            return Fail(Invariant($"takes blocks of {kernel.MaxThreads} threads at most; {blockThreads} are started"), out defect);
        if (kernel.LdsBytes > ldsLimit)
            return Fail(Invariant($"needs {kernel.LdsBytes} bytes of local memory; a block may have {ldsLimit} on this device"), out defect);
        return new AiterVerifiedKernel(kernel, layout);
    }

    private static string Invariant(DefaultInterpolatedStringHandler text) => string.Create(CultureInfo.InvariantCulture, ref text);

    private static AiterVerifiedKernel? Fail(string text, out string defect)
    {
        defect = text;
        return null;
    }
}

/// <summary>A kernel whose metadata is as expected.</summary>
internal sealed record AiterVerifiedKernel(CodeObjectKernel Kernel, AiterArgumentLayout Layout);
