using System.Collections.Concurrent;
using Rocm.Inference.Native.Hip;

namespace Rocm.Inference.Native.Kernels;

/// <summary>
/// The kernels of one device: loads each code object when its first kernel is asked for. It comes from this assembly where it was compiled ahead, else
/// from the disk cache, else from hipRTC. Owns the modules and functions. Thread-safe.
/// </summary>
internal sealed class KernelLibrary : IDisposable
{
    // As freestanding code: no headers and no device library of ROCm. Code object version 4 is what every supported runtime reads.
    private static readonly string[] Options = ["-std=c++17", "-O3", "-ffp-contract=fast", "-mcode-object-version=4"];

    private readonly HipDevice _device;
    private readonly RuntimeKernelCompiler? _compiler;
    private readonly Lazy<PrecompiledKernels> _precompiled;
    private readonly KernelSources _sources = new();
    private readonly ConcurrentDictionary<KernelUnit, HipModule> _modules = new();
    private readonly ConcurrentDictionary<(KernelUnit Unit, string Kernel), HipFunction> _functions = new();
    private readonly Lock _gate = new();
    private bool _isDisposed;

    /// <summary>Loads nothing yet.</summary>
    /// <param name="device">The GPU.</param>
    /// <param name="compiler">hipRTC behind its cache; null leaves what was compiled ahead.</param>
    internal KernelLibrary(HipDevice device, RuntimeKernelCompiler? compiler)
    {
        (_device, _compiler) = (device, compiler);
        _precompiled = new(() => PrecompiledKernels.Of(_device.Info.Target ?? ""));
    }

    /// <summary>The units that were asked for so far.</summary>
    internal ICollection<KernelUnit> LoadedUnits => _modules.Keys;

    /// <summary>Finds a kernel, loading or compiling its code when it is the first of its unit: seconds, then; not for the token loop.</summary>
    /// <param name="unit">The instance.</param>
    /// <param name="kernel">Name of the kernel in the source.</param>
    /// <param name="argumentBytes">Size of its argument struct.</param>
    /// <exception cref="HipException">It does not compile, does not load or has no such kernel.</exception>
    internal HipFunction Get(KernelUnit unit, string kernel, int argumentBytes)
    {
        if (_functions.TryGetValue((unit, kernel), out HipFunction? known)) return known;
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            if (_functions.TryGetValue((unit, kernel), out known)) return known;
            HipFunction function = Load(unit).GetFunction(kernel, argumentBytes);
            _functions[(unit, kernel)] = function;
            return function;
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            if (_isDisposed) return;
            _isDisposed = true;
            foreach (HipFunction function in _functions.Values) function.Dispose();
            foreach (HipModule module in _modules.Values) module.Dispose();
        }
    }

    private HipModule Load(KernelUnit unit)
    {
        if (_modules.TryGetValue(unit, out HipModule? module)) return module;
        byte[] code = _precompiled.Value.Find(unit) ?? Compile(unit);
        module = _device.LoadModule(code);
        _modules[unit] = module;
        return module;
    }

    private byte[] Compile(KernelUnit unit)
    {
        string architecture = _device.Info.Architecture
            ?? throw new HipException($"Device {_device.Ordinal}, {_device.Info.Name}, does not tell its architecture: no kernels can be compiled for it.");
        if (_compiler is null)
        {
            string held = PrecompiledKernels.Targets.Count == 0 ? "this build holds none" : $"this build holds code for {string.Join(", ", PrecompiledKernels.Targets)}";
            throw new HipException($"{unit} is needed for {architecture}, but was not compiled ahead ({held}) and there is no hipRTC to compile it: install ROCm's libhiprtc.");
        }

        return _compiler.Compile(_sources.Read(unit.File), architecture, [.. Options, .. unit.Options]);
    }
}
