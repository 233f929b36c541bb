using Rocm.Inference.Native.Handles;
using Rocm.Inference.Native.Hip;

namespace Rocm.Inference.Native.Tests.Hip;

[Collection(FakeRuntimeTests.Name)]
public sealed class HipStreamTests(FakeRuntime fake)
{
    [Theory]
    [InlineData(-1, 1)]
    [InlineData(0, 101)]
    [InlineData(100, 1)]
    [InlineData(1, long.MaxValue)]
    [InlineData(long.MaxValue, 1)]
    [InlineData(0, -1)]
    public void A_range_outside_of_the_memory_is_refused_before_the_device_sees_it(long offset, long bytes)
    {
        HipDevice device = fake.Start().OpenDefault();
        using HipStream stream = device.CreateStream();
        using DeviceMemoryHandle memory = device.Allocate(100), other = device.Allocate(200);
        long calls = fake.Calls;
        Assert.Throws<ArgumentOutOfRangeException>(() => stream.Fill(memory, offset, bytes, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => stream.Copy(memory, offset, other, 0, bytes));
        Assert.Throws<ArgumentOutOfRangeException>(() => stream.Copy(other, 0, memory, offset, bytes));
        Assert.Equal(calls, fake.Calls);
    }

    [Fact]
    public void An_empty_range_is_no_call()
    {
        HipDevice device = fake.Start().OpenDefault();
        using HipStream stream = device.CreateStream();
        using DeviceMemoryHandle memory = device.Allocate(100);
        long calls = fake.Calls;
        stream.Fill(memory, 100, 0, 0);
        stream.Copy(memory, 100, memory, 0, 0);
        stream.Upload<int>([], memory, 100);
        stream.Download(memory, Span<int>.Empty, 100);
        Assert.Equal(calls, fake.Calls);
        Assert.Throws<ArgumentOutOfRangeException>(() => device.Allocate(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => stream.Upload<long>(new long[13], memory));
    }

    [Fact]
    public void Work_that_is_not_done_is_no_error()
    {
        HipDevice device = fake.Start().OpenDefault();
        using HipStream stream = device.CreateStream();
        using HipEvent marker = device.CreateEvent();
        stream.Record(marker);
        fake.BeBusy(2);
        Assert.False(stream.IsIdle());
        Assert.False(marker.IsComplete());
        Assert.True(stream.IsIdle());
        Assert.True(marker.IsComplete());
    }
}
