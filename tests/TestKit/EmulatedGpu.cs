using System.Diagnostics;
using System.Runtime.InteropServices;
using Rocm.Inference.Devices.Hip;
using Rocm.Inference.Native.Handles;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.HipBlasLt;
using Rocm.Inference.Native.Hiprtc;
using Rocm.Inference.Native.Kernels;

namespace Rocm.Inference.TestKit;

/// <summary>
/// tests/native/gfxemu as this process's HIP runtime: device 0 is a gfx942, device 1 a gfx1100. Registers, LDS and fresh memory start as NaN, accesses
/// are checked against the live allocations, LDS races are faults, and work runs as late as it may. Code that hipRTC compiled is kept beside the emulator's build. Another HIP runtime
/// takes its place where <see cref="OtherVariable"/> names its folder: a second emulator, or ROCm's on a GPU of one of these targets.
/// </summary>
internal sealed unsafe class EmulatedGpu
{
    public const string Gfx942 = "gfx942";
    public const string Gfx1100 = "gfx1100";

    /// <summary>Environment variable with the folder of a libamdhip64 and libhiprtc to run tests of ops on in place of gfxemu.</summary>
    public const string OtherVariable = "ROCM_INFERENCE_TEST_HIP";

    private static readonly string? s_other = Environment.GetEnvironmentVariable(OtherVariable) is { Length: > 0 } folder ? folder : null;

    // One runtime for the process, as HIP has it.
    private static readonly Lazy<EmulatedGpu> Loaded = new(() => new EmulatedGpu());

    private readonly string _folder;
    private readonly nint _library;
    private readonly HipRuntime _runtime;
    private readonly RuntimeKernelCompiler _compiler;

    private EmulatedGpu()
    {
        string root = Path.Combine(RepositoryPaths.Root, "tests", "native", "gfxemu");
        string folder = s_other ?? Execute("/bin/bash", Path.Combine(root, "build.sh")).Trim();
        _folder = folder;
        _library = NativeLibrary.Load(Path.Combine(folder, "libamdhip64.so.6"));
        foreach ((string name, string value) in ((string, string)[])[("arch", $"{Gfx942},{Gfx1100}"), ("poison", "1"), ("races", "1"), ("lazy", "1")]) Set(name, value);
        _runtime = HipRuntime.Load(folder, Ledger);
        var cache = new CodeObjectCache(Path.Combine(root, ".cache", "kernels"));
        _compiler = new RuntimeKernelCompiler(HiprtcCompiler.Load(_runtime.LibraryPath, _runtime.Version), cache);
    }

    /// <summary>The emulator; built at the first use.</summary>
    public static EmulatedGpu Instance => Loaded.Value;

    /// <summary>Why there is no emulated GPU here, or null.</summary>
    public static string? Missing { get; } =
        s_other is not null ? null
        : !OperatingSystem.IsLinux() || RuntimeInformation.ProcessArchitecture != Architecture.X64 ? "The emulated GPU is built for Linux on x64 only."
        : Find(Environment.GetEnvironmentVariable("CXX") ?? "g++") is null ? "No g++ on PATH to build the emulated GPU with."
        : Find("clang++-19") is null ? "No clang++-19 on PATH (Debian: clang-19, lld-19) to compile kernels for AMD GPUs with."
        : null;

    /// <summary>Why there is no GPU of an architecture here, or null.</summary>
    public static string? MissingOf(string target) =>
        Missing ?? (Instance._runtime.Devices.Any(device => device.Target == target) ? null : $"The HIP runtime that {OtherVariable} names has no {target}.");

    /// <summary>Counts the native objects of every device made here.</summary>
    public HandleLedger Ledger { get; } = new();

    public RuntimeKernelCompiler Compiler => _compiler;

    /// <summary>The emulated device of an architecture.</summary>
    public HipDevice Device(string target) => _runtime.Open(_runtime.Devices.Single(device => device.Target == target).Ordinal);

    /// <summary>A device to run ops on; the caller disposes it.</summary>
    public static HipGpu Create(string target) => new(Instance.Device(target), Instance._compiler);

    /// <summary>The same with native objects counted apart: what other tests leave to finalizers does not count.</summary>
    public static HipGpu Create(string target, HandleLedger ledger)
    {
        HipRuntime runtime = HipRuntime.Load(Instance._folder, ledger);
        return new(runtime.Open(runtime.Devices.Single(device => device.Target == target).Ordinal), Instance._compiler);
    }

    /// <summary>The same with a stand-in for hipBLASLt that computes on the host.</summary>
    /// <param name="target">The architecture.</param>
    /// <param name="use">Which products it takes.</param>
    /// <param name="delay">How long each of its products takes at least.</param>
    /// <param name="blas">What a GPU asks for its products.</param>
    /// <param name="search">The status that its searches for kernels answer.</param>
    public static HipGpu CreateWithBlas(string target, HipBlasLtUse use, TimeSpan delay, out BlasLinear blas, int search = 0)
    {
        HipDevice device = Instance.Device(target);
        string folder = Path.Combine(Instance._folder, "blas");
        HipBlasLtContext context = HipBlasLtContext.TryCreate(Path.Combine(folder, "libamdhip64.so.6"), device, out string reason)
            ?? throw new InvalidOperationException(reason);
        nint library = NativeLibrary.Load(Path.Combine(folder, "libhipblaslt.so.0"));
        ((delegate* unmanaged<int, void>)NativeLibrary.GetExport(library, "gfxemuSetBlasDelay"))((int)delay.TotalMilliseconds);
        ((delegate* unmanaged<int, void>)NativeLibrary.GetExport(library, "gfxemuSetBlasSearch"))(search);
        blas = new BlasLinear(context, use);
        return new HipGpu(device, Instance._compiler, blas: blas);
    }

    /// <summary>Sets an option of the emulator; see its README. Another runtime is told nothing.</summary>
    public void Set(string name, string value)
    {
        if (s_other is not null) return;
        byte[] n = System.Text.Encoding.UTF8.GetBytes(name + '\0'), v = System.Text.Encoding.UTF8.GetBytes(value + '\0');
        fixed (byte* pn = n, pv = v)
        {
            if (((delegate* unmanaged<byte*, byte*, int>)NativeLibrary.GetExport(_library, "gfxemuSetOption"))(pn, pv) != 0)
                throw new ArgumentException($"The emulator does not understand {name}={value}.");
        }
    }

    /// <summary>Text of the last fault.</summary>
    public string LastFault()
    {
        byte* text = stackalloc byte[2048];
        ((delegate* unmanaged<byte*, int, int>)NativeLibrary.GetExport(_library, "gfxemuLastFault"))(text, 2048);
        return Marshal.PtrToStringUTF8((nint)text)!;
    }

    /// <summary>Calls of a HIP function since the option "fail" was last set.</summary>
    public long Calls(string function)
    {
        byte[] name = System.Text.Encoding.UTF8.GetBytes(function + '\0');
        fixed (byte* pointer = name) return (long)((delegate* unmanaged<byte*, ulong>)NativeLibrary.GetExport(_library, "gfxemuGetCalls"))(pointer);
    }

    /// <summary>Counts since the last reset, in the order of gfxemuGetCounters.</summary>
    public ulong[] Counters()
    {
        ulong[] values = new ulong[21];
        fixed (ulong* p = values) _ = ((delegate* unmanaged<ulong*, int, int>)NativeLibrary.GetExport(_library, "gfxemuGetCounters"))(p, values.Length);
        return values;
    }

    private static string? Find(string name) => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .Where(folder => folder.Length > 0).Select(folder => Path.Combine(folder, name)).FirstOrDefault(File.Exists);

    private static string Execute(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? output : throw new InvalidOperationException($"{program} ended with {process.ExitCode}: {errors.Result}");
    }
}
