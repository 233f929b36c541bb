using Rocm.Inference.Native.Handles;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Interop;

namespace Rocm.Inference.Native.Tests.Hip;

[Collection(FakeRuntimeTests.Name)]
public sealed class HipDeviceTests(FakeRuntime fake)
{
    [Fact]
    public void The_facts_of_a_device_are_read_by_attribute()
    {
        HipDeviceInfo info = fake.Start().OpenDefault().Info;
        Assert.Equal((65536, 1024, 2048, 6 << 20), (info.LdsBytesPerBlock, info.MaxThreadsPerBlock, info.MaxThreadsPerComputeUnit, info.L2CacheBytes));
        Assert.Equal((2_500_000, 1_250_000, 384, true), (info.ClockKilohertz, info.MemoryClockKilohertz, info.MemoryBusBits, info.SupportsMemoryPools));
        Assert.Equal(new PciAddress(0, 3, 0), info.Pci);
    }

    [Fact]
    public void What_is_made_on_another_device_leaves_the_threads_own_device_current()
    {
        fake.Start();
        fake.SetDevices(2);
        try
        {
            var ledger = new HandleLedger();
            HipRuntime runtime = fake.Start(ledger);
            Assert.Equal(0, runtime.OpenDefault().Ordinal);
            HipDevice other = runtime.Open(1);
            runtime.Open(0).MakeCurrent();
            using (HipStream stream = other.CreateStream())
            using (HipMemoryPool pool = other.CreatePool())
            using (HipModule module = other.LoadModule(TestCodeObject.Make()))
            using (HipGraph graph = stream.Record(0, static _ => { }))
            using (HipGraphExec executable = graph.Instantiate())
            using (DeviceMemoryHandle memory = other.Allocate(8))
            using (PinnedMemoryHandle pinned = other.AllocatePinned(8))
            using (HipEvent marker = other.CreateEvent())
            {
                other.Synchronize();
                other.Memory();
                Assert.Equal(0, Current());
            }

            Assert.Equal((0, "empty"), (Current(), ledger.ToString()));
            // hipGetDevice and hipSetDevice come first.
            fake.FailCall(3, HipStatus.OutOfMemory);
            Assert.Equal(1, Assert.Throws<HipOutOfMemoryException>(() => other.Allocate(8)).Device);
            Assert.Equal(0, Current());
        }
        finally
        {
            fake.SetDevices(1);
        }
    }

    private static unsafe int Current()
    {
        int device;
        HipStatus.ThrowIfFailed(HipApi.hipGetDevice(&device));
        return device;
    }
}
