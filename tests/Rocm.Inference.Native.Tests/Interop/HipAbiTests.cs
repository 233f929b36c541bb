using System.Reflection;
using System.Runtime.InteropServices;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Interop;
using Rocm.Inference.Native.Tests.Hip;

namespace Rocm.Inference.Native.Tests.Interop;

/// <summary>Holds the declarations against a real libamdhip64 and real headers, where the machine has them.</summary>
public sealed class HipAbiTests(FakeHipLibraries libraries) : IClassFixture<FakeHipLibraries>
{
    private const string PropertiesR0600 = nameof(HipApi.hipGetDevicePropertiesR0600);

    [Fact]
    public void Every_import_is_required_or_asked_for_before_use()
    {
        string[] hip = [.. RocmLibrary.Hip.RequiredExports, .. HipExports.Device, .. HipExports.Pools, .. HipExports.Optional];
        Assert.Equal(Imports(typeof(HipApi)).Order(), hip.Order());
        Assert.Equal(Imports(typeof(HiprtcApi)).Order(), RocmLibrary.Hiprtc.RequiredExports.Order());
        Assert.Equal(Imports(typeof(HipBlasLtApi)).Order(), RocmLibrary.HipBlasLt.RequiredExports.Order());
        Assert.Equal(Imports(typeof(RcclApi)).Order(), RocmLibrary.Rccl.RequiredExports.Order());
        Assert.Equal(Imports(typeof(RocmSmiApi)).Order(), RocmLibrary.RocmSmi.RequiredExports.Order());
    }

    [Fact]
    public void Every_import_is_exported_by_the_real_runtime()
    {
        nint library = RealRuntime(out string name);
        string[] missing = [.. Imports(typeof(HipApi)).Where(import => !NativeLibrary.TryGetExport(library, import, out _))];
        // All that is newer than ROCm 5.
        Assert.Equal(name.EndsWith(".5", StringComparison.Ordinal) ? [PropertiesR0600] : [], missing);
    }

    [Fact]
    public void Every_import_of_hipRTC_is_exported_by_the_real_one()
    {
        RealRuntime(out _);
        string? found = RocmLibrary.Hiprtc.LinuxNames.FirstOrDefault(name => NativeLibrary.TryLoad(name, out nint handle) && NativeLibrary.TryGetExport(handle, "hiprtcVersion", out _));
        Assert.NotNull(found);
        nint library = NativeLibrary.Load(found);
        Assert.DoesNotContain(Imports(typeof(HiprtcApi)), import => !NativeLibrary.TryGetExport(library, import, out _));
    }

    [Fact]
    public void Every_import_of_ROCm_SMI_is_exported_by_the_real_one()
    {
        string? found = RocmLibrary.RocmSmi.LinuxNames.FirstOrDefault(name => NativeLibrary.TryLoad(name, out _));
        Assert.SkipWhen(found is null, "No librocm_smi64 is installed (Debian: librocm-smi64-1).");
        nint library = NativeLibrary.Load(found!);
        Assert.DoesNotContain(Imports(typeof(RocmSmiApi)), import => !NativeLibrary.TryGetExport(library, import, out _));
    }

    [Fact]
    public void Without_a_device_the_real_runtime_is_refused_with_the_reason()
    {
        RealRuntime(out _);
        string output = ChildProcess.Run(ChildProcess.Load, []);
        Assert.SkipUnless(output.StartsWith("HIP cannot be used.", StringComparison.Ordinal), $"This machine has a GPU: {output}");
        Assert.Contains("sees no AMD GPU: hipGetDeviceCount answered hipErrorNoDevice (100)", output, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_a_library_every_place_is_in_the_error()
    {
        string output = ChildProcess.Run(ChildProcess.Load, ["/nowhere/libamdhip64.so.6"]);
        Assert.StartsWith("HIP cannot be used. The HIP runtime (amdhip64) cannot be loaded from the explicit path '/nowhere/libamdhip64.so.6'.", output, StringComparison.Ordinal);
        Assert.Contains("/nowhere/libamdhip64.so.6 (explicit path): no such file or folder", output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_runtime_without_some_of_the_calls_is_refused_with_their_names()
    {
        string library = libraries.Build("lacking", "libamdhip64.so.6", "-DhipGraphLaunch=hidden_graph_launch", "-DhipFree=hidden_free");
        string output = ChildProcess.Run(ChildProcess.Load, [library]);
        Assert.Equal($"{library} (HIP 6.2.41134) lacks hipFree, hipGraphLaunch: use ROCm 5.2 or later.", output.Trim());
    }

    [Fact]
    public void A_runtime_without_pools_is_usable_and_says_so_when_one_is_made()
    {
        string library = libraries.Build("poolless", "libamdhip64.so.6", "-DhipMemPoolCreate=hidden_pool_create");
        string output = ChildProcess.Run(ChildProcess.Load, [library]);
        Assert.Equal("Device 0, Fake Radeon 0, has no stream-ordered allocator with this runtime (HIP 6.2.41134); use Allocate.", output.Trim());
    }

    [Fact]
    public void The_real_runtime_answers_the_probe()
    {
        RealRuntime(out _);
        ProbeProcess.Answer[] answers = ProbeProcess.Run([null, null, null]);
        HipRuntimeReport report = answers[0].Report;
        TestContext.Current.TestOutputHelper?.WriteLine(answers[0].Text);

        Assert.NotNull(report.LibraryPath);
        Assert.InRange(report.RuntimeVersion!.Major, 5, 8);
        Assert.Equal("loaded", report.Attempts[^1].Message);
        if (report.IsAvailable)
        {
            Assert.All(report.Devices, device => Assert.StartsWith("gfx", device.Target, StringComparison.Ordinal));
            return;
        }

        Assert.Contains("sees no AMD GPU: hipGetDeviceCount answered hipErrorNoDevice (100)", report.Reasons[0], StringComparison.Ordinal);
        Assert.True(answers.Min(answer => answer.Seconds) < 1, $"took {answers.Min(answer => answer.Seconds)} s");
    }

    // Where something is marshalled, the import is a local function of the method that does it.
    private static string[] Imports(Type type) =>
    [
        .. type.GetMethods(BindingFlags.Static | BindingFlags.NonPublic).Select(method => method.GetCustomAttribute<DllImportAttribute>()?.EntryPoint)
            .OfType<string>(),
    ];

    /// <summary>The real library by the loader's own search, beside whatever this process has loaded; skips the test where there is none.</summary>
    internal static nint RealRuntime(out string name)
    {
        foreach (string candidate in (string[])["libamdhip64.so.7", "libamdhip64.so.6", "libamdhip64.so.5"])
        {
            name = candidate;
            if (NativeLibrary.TryLoad(candidate, out nint handle)) return handle;
        }

        name = "";
        Assert.Skip("No libamdhip64 is installed where the system's loader finds it (Debian: libamdhip64-5).");
        return 0;
    }
}
