using Rocm.Inference.Native.Hip;

namespace Rocm.Inference.Native.Aiter;

/// <summary>
/// AITER's kernels on one device: loads a code object at its first use, after verifying it, and remembers those that it refused. Loading is for the time
/// when a model is loaded; launches go through what it gave out.
/// </summary>
internal sealed class AiterKernelLibrary : IDisposable
{
    // The target whose objects have been executed: in emulation, in this project's tests.
    private const string ProvenTarget = "gfx942";
    private const string UnprovenTarget = "gfx950";

    private readonly Lock _lock = new();
    private readonly Dictionary<string, (AiterKernel? Kernel, string Reason)> _loaded = [];

    private AiterKernelLibrary(HipDevice device, AiterKernelSet kernels) => (Device, Kernels) = (device, kernels);

    internal HipDevice Device { get; }

    internal AiterKernelSet Kernels { get; }

    /// <summary>Opens the kernels for a device; reads manifests and no code object.</summary>
    /// <param name="device">The device.</param>
    /// <param name="installation">Where they are.</param>
    /// <param name="allowUnproven">Also use kernels for gfx950, which no test of this project has executed.</param>
    /// <param name="reason">Why there is nothing to launch, a sentence.</param>
    /// <returns>Null with a reason.</returns>
    internal static AiterKernelLibrary? Open(HipDevice device, AiterInstallation installation, bool allowUnproven, out string reason)
    {
        string? target = device.Info.Target;
        reason = RefusalOf(target, device.Info.Name, allowUnproven);
        if (reason.Length > 0) return null;
        AiterKernelSet kernels = installation.Kernels(target!, AiterChips.Of(device.Info.PciChipId, device.Info.ComputeUnits));
        if (!kernels.IsEmpty) return new AiterKernelLibrary(device, kernels);
        reason = string.Join(' ', kernels.Defects);
        return null;
    }

    /// <summary>The library has launchers for kernels of an architecture.</summary>
    internal static bool IsLaunched(string target) => target is ProvenTarget or UnprovenTarget;

    /// <summary>Why no kernel is launched on an architecture, a sentence; empty when some are.</summary>
    internal static string RefusalOf(string? target, string device, bool allowUnproven) => target switch
    {
        null => $"The architecture of {device} could not be read.",
        ProvenTarget => "",
        UnprovenTarget when allowUnproven => "",
        UnprovenTarget => $"AITER's kernels for {target} have not been executed by the tests of this library; they are used when asked for.",
        _ => $"AITER has no kernels for {target} that this library launches; it does for {ProvenTarget} and {UnprovenTarget}.",
    };

    /// <summary>Loads the kernel of a row.</summary>
    /// <param name="family">Its folder.</param>
    /// <param name="kernel">The row's kernel.</param>
    /// <param name="accepted">Layouts that the caller can fill.</param>
    /// <param name="blockThreads">Threads of a block that the caller starts.</param>
    /// <param name="reason">Why not, a sentence.</param>
    /// <returns>Null with a reason.</returns>
    /// <exception cref="HipException">The device is lost.</exception>
    internal AiterKernel? Load(AiterFamily family, AiterObject kernel, ReadOnlySpan<AiterArgumentLayout> accepted, int blockThreads, out string reason)
    {
        string path = Kernels.PathOf(family, kernel);
        lock (_lock)
        {
            if (!_loaded.TryGetValue(path, out (AiterKernel? Kernel, string Reason) entry))
                _loaded[path] = entry = LoadNew(family, kernel, accepted, blockThreads);
            reason = entry.Reason;
            // Two rows can name one object; what it was verified for is then not what this caller needs.
            if (entry.Kernel is null || (accepted.Contains(entry.Kernel.Layout) && entry.Kernel.Symbol == kernel.Symbol)) return entry.Kernel;
            reason = $"{path} serves another operation.";
            return null;
        }
    }

    /// <summary>Unloads the kernels; what was given out can no longer be launched.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            foreach ((AiterKernel? kernel, _) in _loaded.Values) kernel?.Dispose();
            _loaded.Clear();
        }
    }

    private (AiterKernel? Kernel, string Reason) LoadNew(AiterFamily family, AiterObject kernel, ReadOnlySpan<AiterArgumentLayout> accepted, int blockThreads)
    {
        int ldsLimit = Device.Info.LdsBytesPerBlock;
        if (Kernels.Verify(family, kernel, accepted, blockThreads, ldsLimit, out byte[] image, out string reason) is not { } verified) return (null, reason);
        try
        {
            return (new AiterKernel(Device, image, verified, blockThreads), "");
        }
        catch (HipException e) when (!e.IsDeviceFault)
        {
            return (null, $"{Kernels.PathOf(family, kernel)} could not be loaded. {e.Message}");
        }
    }
}
