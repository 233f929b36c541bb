using Rocm.Inference.Native.Hip;

namespace Rocm.Inference.Native.Tests.Hip;

public sealed class KernelDriverTests
{
    [Fact]
    public void A_missing_compute_node_is_named_with_the_ways_to_get_it()
    {
        LinuxOnly();
        var driver = new KernelDriver { ComputeNode = "/nowhere/kfd", WslNode = "/nowhere/dxg" };
        Assert.StartsWith("/nowhere/kfd does not exist", Assert.Single(driver.FindProblems()), StringComparison.Ordinal);
    }

    [Fact]
    public void Under_WSL_the_compute_node_is_not_missed()
    {
        LinuxOnly();
        Assert.Empty(new KernelDriver { ComputeNode = "/nowhere/kfd", WslNode = "/dev/null" }.FindProblems());
    }

    [Fact]
    public void A_node_without_permission_is_named_with_the_groups_to_join()
    {
        LinuxOnly();
        // The kernel refuses to open this one for writing even to root.
        var driver = new KernelDriver { ComputeNode = "/proc/sys/kernel/ostype", RenderFolder = "/nowhere" };
        string problem = Assert.Single(driver.FindProblems());
        Assert.StartsWith("/proc/sys/kernel/ostype exists but cannot be opened by user", problem, StringComparison.Ordinal);
        Assert.Contains("permission denied", problem, StringComparison.Ordinal);
        Assert.Contains("'render' or 'video'", problem, StringComparison.Ordinal);
    }

    [Fact]
    public void Nodes_that_open_are_no_problem()
    {
        LinuxOnly();
        Assert.Empty(new KernelDriver { ComputeNode = "/dev/null", RenderFolder = "/nowhere" }.FindProblems());
    }

    private static void LinuxOnly() => Assert.SkipUnless(OperatingSystem.IsLinux(), "Device nodes are Linux's.");
}
