using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Interop;

namespace Rocm.Inference.Native.Tests.Interop;

public sealed class LibraryLoaderTests
{
    // Names that no machine has: the real ones would find a ROCm that happens to be installed.
    private static readonly RocmLibrary Absent = new("absenthip64", ["libabsenthip64.so.7", "libabsenthip64.so"], ["absenthip64.dll"], ["hipInit"]);

    [Fact]
    public void Absence_lists_every_place_with_its_message()
    {
        string root = Directory.CreateTempSubdirectory("rocm-inference-absent-").FullName;
        string installed = Directory.CreateDirectory(Path.Combine(root, "rocm-6.2.0", "lib")).FullName;
        try
        {
            LibraryLoad load = new LibraryLoader(Absent, new RocmSearch { RocmPath = "/nowhere/rocm", OptRoot = root }).Run();

            Assert.False(load.IsLoaded);
            Assert.Null(load.Path);
            Assert.Equal(
                [
                    "/nowhere/rocm/lib (ROCM_PATH): no such file or folder",
                    $"{installed}/libabsenthip64.so.7 (default folder): no such file",
                    $"{installed}/libabsenthip64.so (default folder): no such file",
                ],
                load.Attempts.Take(3).Select(attempt => attempt.ToString()));
            Assert.Equal(["libabsenthip64.so.7", "libabsenthip64.so"], load.Attempts.Skip(3).Select(attempt => attempt.Path));
            Assert.All(load.Attempts.Skip(3), attempt => Assert.Contains("cannot open shared object file", attempt.Message, StringComparison.Ordinal));
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }

    [Fact]
    public void The_report_of_absence_carries_every_attempt_and_the_drivers_problem()
    {
        var driver = new KernelDriver { ComputeNode = "/nowhere/kfd", WslNode = "/nowhere/dxg" };
        HipRuntimeReport report = HipRuntimeProbe.Probe(Absent, new RocmSearch { OptRoot = "/nowhere" }, driver);

        Assert.False(report.IsAvailable);
        Assert.Null(report.LibraryPath);
        Assert.Equal("The HIP runtime (absenthip64) was not found. Install ROCm, or set ROCM_PATH or the ROCm path option.", report.Reasons[0]);
        Assert.Equal(report.Attempts.Select(attempt => attempt.ToString()), report.Reasons.Skip(1).SkipLast(1));
        Assert.StartsWith("/nowhere/kfd does not exist", report.Reasons[^1], StringComparison.Ordinal);
        Assert.All(report.Attempts, attempt => Assert.Contains(attempt.ToString(), report.ToString(), StringComparison.Ordinal));
    }
}
