using Rocm.Inference.Engine;
using Rocm.Inference.Native.Aiter;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Interop;
using Rocm.Inference.Native.Tests.Aiter;

namespace Rocm.Inference.Hip.Tests;

/// <summary>What the report on a machine tells of its GPUs and of AITER.</summary>
public sealed class SystemReportTests
{
    private static readonly InferenceSessionOptions _options = new() { NumThreads = 1 };

    private static readonly AiterLocation _noAiter = new(null, [new AiterAttempt("/nowhere", AiterSearch.PathVariable, "does not exist", IsPartial: false)]);

    [Fact]
    public void Without_a_runtime_it_tells_every_attempt_to_load_one_and_where_AITER_was_looked_for()
    {
        var hip = new HipRuntimeReport
        {
            Reasons = ["The HIP runtime was not found."],
            Attempts = [new LibraryAttempt("/opt/rocm/lib", "default folder", "no such file or folder"), new LibraryAttempt("libamdhip64.so.6", "system loader", "cannot open")],
        };
        SystemReport report = SystemSurvey.Of(_options, hip, _noAiter);
        Assert.Null(report.HipPath);
        Assert.Equal(["/opt/rocm/lib (default folder): no such file or folder", "libamdhip64.so.6 (system loader): cannot open"], report.HipAttempts);
        string text = report.ToString();
        foreach (string line in (string[])[
            "HIP        not loaded", "           The HIP runtime was not found.", "           tried libamdhip64.so.6 (system loader): cannot open", "GPU        none",
            $"AITER      AITER was not found. /nowhere ({AiterSearch.PathVariable}) does not exist."])
            Assert.Contains(line + Environment.NewLine, text, StringComparison.Ordinal);
        Assert.Equal(DeviceKind.Cpu, report.Processor.Kind);
        Assert.Contains(report.Processor.Name, text, StringComparison.Ordinal);
    }

    [Fact]
    public void GPUs_come_in_the_order_in_which_they_are_taken_with_what_each_gets_its_kernels_from()
    {
        SystemReport report = SystemSurvey.Of(_options, Machine(new Version(9, 0)), _noAiter);
        Assert.Equal([1, 0, 2], report.Gpus.Select(gpu => gpu.Index));
        Assert.Equal([null, null], report.Gpus.Where(gpu => gpu.Index != 0).Select(gpu => gpu.Refusal));
        Assert.Contains("matrix instructions", report.Gpus[1].Refusal, StringComparison.Ordinal);
        string text = report.ToString();
        Assert.Contains("GPU 1      MI300X (gfx942:sramecc+), 304 compute units, 192 MiB", text, StringComparison.Ordinal);
        Assert.Contains("others by hipRTC 9.0, kept in " + report.KernelCacheFolder, text, StringComparison.Ordinal);
        Assert.Contains("not usable: Device 0, Old", text, StringComparison.Ordinal);
        Assert.Contains("integrated: taken only when asked for", text, StringComparison.Ordinal);
        GpuInfo uncompiled = SystemSurvey.Of(_options, Machine(hiprtc: null), _noAiter).Gpus[0];
        Assert.Equal(uncompiled.NumCompiledKernels == 0, uncompiled.Refusal?.Contains("hipRTC was not found", StringComparison.Ordinal) ?? false);
    }

    [Fact]
    public void AITER_is_listed_for_every_GPU_with_the_reason_against_each_kernel_that_is_not_launched()
    {
        using var simulated = new SimulatedAiter();
        File.Delete(Path.Combine(simulated.Folder("pa"), "pa8_mtp.co"));
        AiterLocation location = AiterInstallation.Locate(new AiterSearch { ExplicitPath = simulated.Root });
        AiterReport aiter = SystemSurvey.Of(_options, Machine(hiprtc: null), location).Aiter;
        Assert.Equal(simulated.Hsa, aiter.Path);
        Assert.Equal(["gfx942", "gfx906", "gfx1100"], aiter.Targets.Select(target => target.Architecture).OrderByDescending(name => name == "gfx942").ThenByDescending(name => name));
        AiterTargetReport target = aiter.Targets.Single(target => target.Architecture == "gfx942");
        Assert.Equal("MI300", target.Chip);
        Assert.Null(target.Refusal);
        Assert.Empty(target.Defects);
        AiterKernelInfo missing = Assert.Single(target.Kernels, kernel => !kernel.IsUsable);
        Assert.Equal(("pa", "_pa8_mtp"), (missing.Family, missing.Symbol));
        Assert.Contains("pa8_mtp.co", missing.Refusal, StringComparison.Ordinal);
        Assert.Equal("MLA decode, Bf16 over Bf16, 16 heads, 1 query tokens", Assert.Single(target.Kernels, kernel => kernel.Family == "mla").Operation);
        Assert.All(aiter.Targets.Where(other => other != target), other => Assert.Contains("no kernels for " + other.Architecture, other.Refusal, StringComparison.Ordinal));

        SystemReport unwanted = SystemSurvey.Of(new InferenceSessionOptions { NumThreads = 1, AiterKernels = AiterKernelUse.Never }, Machine(hiprtc: null), location);
        Assert.All(unwanted.Aiter.Targets, other => Assert.Contains(nameof(InferenceSessionOptions.AiterKernels), other.Refusal, StringComparison.Ordinal));
    }

    [Fact]
    public void Without_a_GPU_AITER_is_listed_for_what_it_has_kernels_for_and_like_reasons_are_told_once()
    {
        using var simulated = new SimulatedAiter();
        foreach (string file in Directory.GetFiles(simulated.Folder("pa"), "*.co")) File.WriteAllBytes(file, []);
        File.Delete(Path.Combine(simulated.Folder("fmha_v3_fwd"), "fmha_fwd.csv"));
        SystemReport report = SystemSurvey.Of(_options, new HipRuntimeReport { Reasons = [], Attempts = [] }, AiterInstallation.Locate(new AiterSearch { ExplicitPath = simulated.Root }));
        AiterTargetReport target = Assert.Single(report.Aiter.Targets);
        Assert.Contains("fmha_fwd.csv", Assert.Single(target.Defects), StringComparison.Ordinal);
        string text = report.ToString();
        foreach (string line in (string[])["           gfx942, MI300", "             pa: 0 of 5 kernels", "             mla: 1 of 1 kernels", "               + MLA decode, Bf16 over Bf16, 16 heads, 1 query tokens"])
            Assert.Contains(line + Environment.NewLine, text, StringComparison.Ordinal);
        Assert.Contains("             ! The manifest ", text, StringComparison.Ordinal);
    }

    private static HipRuntimeReport Machine(Version? hiprtc) => new()
    {
        Reasons = [],
        Attempts = [],
        LibraryPath = "/opt/rocm/lib/libamdhip64.so.6",
        RuntimeVersion = new Version(6, 4),
        HiprtcVersion = hiprtc,
        Devices =
        [
            Device(0, "Old", "gfx906", 64, 60, isIntegrated: false), Device(1, "MI300X", "gfx942:sramecc+", 192, 304, isIntegrated: false),
            Device(2, "APU", "gfx1100", 512, 12, isIntegrated: true),
        ],
    };

    private static HipDeviceInfo Device(int ordinal, string name, string architecture, int mebibytes, int units, bool isIntegrated) => new()
    {
        Ordinal = ordinal, Name = name, Architecture = architecture, MemoryBytes = (long)mebibytes << 20, IsIntegrated = isIntegrated, ComputeUnits = units,
        WaveSize = 64, LdsBytesPerBlock = 65536, MaxThreadsPerBlock = 1024,
    };
}
