using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;

namespace Rocm.Inference.Native.Tests.Emulator;

/// <summary>
/// tests/native/gfxemu, built and loaded under a name of its own, and kernels compiled for it. It is one device for the whole process:
/// the classes that use it run one after the other.
/// </summary>
public sealed unsafe class GfxEmulator : IDisposable
{
    /// <summary>The collection of the classes that share the device.</summary>
    public const string Collection = "gfxemu";

    private readonly ConcurrentDictionary<string, nint> _exports = new();
    private readonly Dictionary<(string, string, int), string> _compiled = [];
    private readonly string _scratch = Directory.CreateTempSubdirectory("rocm-inference-gfxemu-").FullName;
    private readonly Lazy<(nint Library, string Folder)> _built;

    /// <summary>Builds nothing yet.</summary>
    public GfxEmulator() => _built = new(Build);

    /// <summary>Folder of the build: libamdhip64.so.6, libhiprtc.so.6, gfxemu-listing.</summary>
    public string Folder => _built.Value.Folder;

    /// <summary>Folder of the emulator's sources and test kernels.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>Makes the device the architecture that is asked for, with no faults, options or counts left from before.</summary>
    public void Reset(string arch)
    {
        Assert.SkipWhen(Find("clang++-19") is null, "No clang++-19 on PATH (Debian: clang-19, lld-19) to compile kernels for AMD GPUs with.");
        foreach ((string name, string value) in ((string, string)[])[("reset", "1"), ("fail", ""), ("poison", "1"), ("races", "0"), ("slice", "0"),
            ("budget", "2000000000"), ("threads", "2"), ("lines", "0"), ("lazy", "0"), ("mem_mb", "1024"), ("arch", arch)])
        {
            Set(name, value);
        }
    }

    /// <summary>Sets an option; see the emulator's README.</summary>
    public void Set(string name, string value)
    {
        byte[] n = Utf8(name), v = Utf8(value);
        fixed (byte* pn = n, pv = v) Assert.Equal(0, ((delegate* unmanaged<byte*, byte*, int>)Export("gfxemuSetOption"))(pn, pv));
    }

    /// <summary>Text of the last fault.</summary>
    public string LastFault()
    {
        byte* text = stackalloc byte[2048];
        ((delegate* unmanaged<byte*, int, int>)Export("gfxemuLastFault"))(text, 2048);
        return Marshal.PtrToStringUTF8((nint)text)!;
    }

    /// <summary>Counts since the last reset, in the order that gfxemuGetCounters gives them.</summary>
    public ulong[] Counters() => Numbers("gfxemuGetCounters", 21);

    /// <summary>What is alive: streams, events, graphs, executable graphs, modules, bytes of device memory.</summary>
    public ulong[] Ledger() => Numbers("gfxemuGetLedger", 6);

    /// <summary>Address of a function of the library.</summary>
    public nint Export(string name) => _exports.GetOrAdd(name, key => NativeLibrary.GetExport(_built.Value.Library, key));

    /// <summary>Compiles kernels/<paramref name="file"/>.hip.</summary>
    /// <returns>Path of the code object.</returns>
    public string Compile(string file, string arch, int codeObjectVersion = 5)
    {
        if (_compiled.TryGetValue((file, arch, codeObjectVersion), out string? known)) return known;
        string path = Path.Combine(_scratch, $"{file}-{arch}-v{codeObjectVersion}.co");
        Execute(Find("clang++-19")!, "-x", "hip", $"--offload-arch={arch}", "--offload-device-only", "--no-gpu-bundle-output", "-nogpuinc", "-nogpulib", "-O3",
            "-ffp-contract=off", "-Wno-pass-failed", $"-mcode-object-version={codeObjectVersion}", "-o", path, Path.Combine(Root, "kernels", file + ".hip"));
        return _compiled[(file, arch, codeObjectVersion)] = path;
    }

    /// <summary>Runs a program and returns what it writes to its output.</summary>
    public static string Execute(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)} ended with {process.ExitCode}: {errors.Result}");
        return output;
    }

    /// <summary>Path of a program, or null.</summary>
    public static string? Find(string name) => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .Where(folder => folder.Length > 0).Select(folder => Path.Combine(folder, name)).FirstOrDefault(File.Exists);

    /// <summary>Text as C takes it.</summary>
    public static byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text + '\0');

    /// <inheritdoc/>
    public void Dispose() => Directory.Delete(_scratch, recursive: true);

    private ulong[] Numbers(string function, int count)
    {
        ulong[] values = new ulong[count];
        fixed (ulong* p = values) Assert.Equal(count, ((delegate* unmanaged<ulong*, int, int>)Export(function))(p, count));
        return values;
    }

    private static (nint Library, string Folder) Build()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && RuntimeInformation.ProcessArchitecture == Architecture.X64, "The emulated GPU is built for Linux on x64 only.");
        Assert.SkipWhen(Find(Environment.GetEnvironmentVariable("CXX") ?? "g++") is null, "No g++ on PATH to build the emulated GPU with.");
        string folder = Execute("/bin/bash", Path.Combine(Root, "build.sh")).Trim();
        return (NativeLibrary.Load(Path.Combine(folder, "libgfxemu.so")), folder);
    }

    private static string FindRoot()
    {
        for (DirectoryInfo? at = new(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            string candidate = Path.Combine(at.FullName, "tests", "native", "gfxemu");
            if (File.Exists(Path.Combine(candidate, "build.sh"))) return candidate;
        }

        throw new DirectoryNotFoundException($"No tests/native/gfxemu above {AppContext.BaseDirectory}.");
    }
}

/// <summary>Names the collection.</summary>
[CollectionDefinition(GfxEmulator.Collection)]
public sealed class GfxEmulatorDefinition : ICollectionFixture<GfxEmulator>;
