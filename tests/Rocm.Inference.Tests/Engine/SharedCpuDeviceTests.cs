using Rocm.Inference.Engine;
using Xunit;

namespace Rocm.Inference.Tests.Engine;

public sealed class SharedCpuDeviceTests
{
    // Thread counts that no other test uses: the devices are the process's.
    private const int Threads = 5;

    [Fact]
    public void Sessions_with_the_same_number_of_threads_share_a_device_until_the_last_one_leaves()
    {
        using SharedCpuDevice first = SharedCpuDevice.Acquire(Threads);
        using SharedCpuDevice second = SharedCpuDevice.Acquire(Threads);
        Assert.Same(first.Device, second.Device);

        first.Dispose();
        first.Dispose();
        using (DeviceBuffer buffer = second.Device.Allocate(64)) Assert.Equal(64, buffer.SizeBytes);
        second.Dispose();

        using SharedCpuDevice third = SharedCpuDevice.Acquire(Threads);
        Assert.NotSame(second.Device, third.Device);
    }

    [Fact]
    public void Another_number_of_threads_is_another_device()
    {
        using SharedCpuDevice six = SharedCpuDevice.Acquire(Threads + 1);
        using SharedCpuDevice seven = SharedCpuDevice.Acquire(Threads + 2);

        Assert.NotSame(six.Device, seven.Device);
        Assert.Equal(Threads + 2, seven.Device.ComputeUnits);
    }
}
