using System.Diagnostics;
using System.Runtime.InteropServices;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Golden.Session;

/// <summary>
/// The HIP device over CUDA's driver (tests/native/hipcuda): the samples as they are, with kernels compiled for the NVIDIA GPU of this machine. Where there is none
/// the stand-in is built all the same, and has to say so.
/// </summary>
public sealed class HipCudaTests
{
    // The first run compiles 50 kernels, each some seconds of clang and of the driver's compiler.
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);

    private static readonly Lazy<string> Runtime = new(Build);

    private static bool HasDriver { get; } = NativeLibrary.TryLoad("libcuda.so.1", out _);

    [Fact]
    public async Task Without_a_driver_the_stand_in_tells_of_no_GPU()
    {
        SkipWhereItCannotBeBuilt();
        Assert.SkipWhen(HasDriver, "This machine has an NVIDIA driver.");
        using SampleProcess process = await RunAsync("SelfTest", "--device", "hip");
        Assert.Equal(2, process.ExitCode);
        Assert.Contains("A GPU was asked for (option Device), but none can be used.", process.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", process.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task All_kernels_are_right_on_an_NVIDIA_GPU()
    {
        SkipWithoutGpu();
        using SampleProcess process = await RunAsync("SelfTest", "--device", "hip");
        Assert.True(process.ExitCode == 0, process.Output + process.Errors);
        Assert.Contains("right", process.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("tiny-llama", AttentionBackendNames.TritonAttn)]
    [InlineData("tiny-llama", AttentionBackendNames.RocmAiterUnifiedAttn)]
    [InlineData("tiny-llama", AttentionBackendNames.RocmAttn)]
    [InlineData("tiny-llama", AttentionBackendNames.RocmAiterFa)]
    [InlineData("tiny-mla", AttentionBackendNames.TritonMla)]
    [InlineData("tiny-mla", AttentionBackendNames.RocmAiterMla)]
    [InlineData("tiny-mla", AttentionBackendNames.RocmAiterTritonMla)]
    public async Task A_session_on_an_NVIDIA_GPU_writes_what_the_CPU_writes(string model, string backend)
    {
        SkipWithoutGpu();
        string folder = Path.Combine(RepositoryPaths.Root, "samples", "models", model);
        using SampleProcess onGpu = await RunAsync("QuickStart", folder, "--device", "hip", "--backend", backend);
        using SampleProcess onCpu = await SampleProcess.RunAsync("QuickStart", folder, "--device", "cpu");
        Assert.True(onGpu.ExitCode == 0, onGpu.Output + onGpu.Errors);
        Assert.Contains("Gets or sets", Completion(onCpu), StringComparison.Ordinal);
        Assert.Equal(Completion(onCpu), Completion(onGpu));
    }

    /// <summary>The text between the facts before it and the figures after it, each set apart by an empty line.</summary>
    private static string Completion(SampleProcess process)
    {
        string[] parts = process.Output.Split("\n\n");
        return string.Join("\n\n", parts[1..^1]);
    }

    private static async Task<SampleProcess> RunAsync(string sample, params string[] arguments)
    {
        string cache = Path.Combine(Folder, ".cache", "kernels");
        SampleProcess process = SampleProcess.Start(sample, arguments, ("ROCM_PATH", Runtime.Value), ("ROCM_INFERENCE_CACHE_DIR", cache));
        await process.EndAsync(Patience);
        return process;
    }

    private static string Folder => Path.Combine(RepositoryPaths.Root, "tests", "native", "hipcuda");

    private static void SkipWithoutGpu()
    {
        SkipWhereItCannotBeBuilt();
        Assert.SkipUnless(HasDriver, "No NVIDIA driver here (libcuda.so.1 does not load).");
        Assert.SkipUnless(IsOnPath("clang++-19"), "No clang++-19 on PATH (Debian: clang-19) to compile kernels for the NVIDIA GPU with.");
    }

    private static void SkipWhereItCannotBeBuilt() => Assert.SkipUnless(
        OperatingSystem.IsLinux() && IsOnPath("g++"), "HIP over CUDA is built on Linux, with the g++ on PATH; one of both is missing.");

    private static bool IsOnPath(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Any(folder => folder.Length > 0 && File.Exists(Path.Combine(folder, program)));

    /// <summary>A folder as ROCm's is: its lib holds the libraries.</summary>
    private static string Build()
    {
        var start = new ProcessStartInfo("/bin/bash", [Path.Combine(Folder, "build.sh")]) { RedirectStandardOutput = true };
        using Process process = Process.Start(start)!;
        string built = process.StandardOutput.ReadToEnd().Trim();
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
        return built;
    }
}
