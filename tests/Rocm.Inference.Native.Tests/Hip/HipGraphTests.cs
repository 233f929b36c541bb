using Rocm.Inference.Native.Handles;
using Rocm.Inference.Native.Hip;

namespace Rocm.Inference.Native.Tests.Hip;

[Collection(FakeRuntimeTests.Name)]
public sealed class HipGraphTests(FakeRuntime fake)
{
    [Fact]
    public void Recorded_work_does_not_run_until_the_graph_is_launched()
    {
        HipDevice device = fake.Start().OpenDefault();
        using HipStream stream = device.CreateStream();
        using PinnedMemoryHandle memory = device.AllocatePinned(8);
        stream.Fill(memory, 0, 8, 1);
        using HipGraph graph = stream.Record((stream, memory), static with => with.stream.Fill(with.memory, 0, 8, 2));

        Assert.All(memory.Span(0, 8).ToArray(), value => Assert.Equal(1, value));
        Assert.Equal(1, graph.CountNodes());
    }

    [Fact]
    public void A_graph_of_other_nodes_is_not_taken_over_and_the_old_one_still_runs()
    {
        HipDevice device = fake.Start().OpenDefault();
        using HipStream stream = device.CreateStream();
        using DeviceMemoryHandle memory = device.Allocate(8);
        using HipGraph one = stream.Record((stream, memory), static with => with.stream.Fill(with.memory, 0, 8, 2));
        using HipGraph two = stream.Record((stream, memory), static with =>
        {
            with.stream.Fill(with.memory, 0, 4, 2);
            with.stream.Fill(with.memory, 4, 4, 3);
        });
        using HipGraphExec executable = one.Instantiate();
        Assert.False(executable.TryUpdate(two));
        executable.Launch(stream);
        using HipGraphExec wider = two.Instantiate();
        wider.Launch(stream);
    }

    [Fact]
    public void The_executable_keeps_the_kernels_of_the_graph_it_was_updated_from()
    {
        var ledger = new HandleLedger();
        HipDevice device = fake.Start(ledger).OpenDefault();
        long misuse = fake.Misuse;
        using HipStream stream = device.CreateStream();
        using HipGraph first = RecordLaunch(device, stream);
        HipGraphExec executable = first.Instantiate();
        using (HipGraph second = RecordLaunch(device, stream)) Assert.True(executable.TryUpdate(second));
        first.Dispose();
        Assert.Equal((1, 1), (ledger.Live(HandleKind.Module), ledger.Live(HandleKind.Graph)));
        executable.Launch(stream);
        executable.Dispose();
        Assert.Equal((0, 0), (ledger.Live(HandleKind.Module), ledger.Live(HandleKind.Graph)));
        Assert.Equal(misuse, fake.Misuse);
    }

    [Fact]
    public void Nothing_that_waits_may_be_recorded()
    {
        HipDevice device = fake.Start().OpenDefault();
        using HipStream stream = device.CreateStream();
        using DeviceMemoryHandle memory = device.Allocate(8);
        Assert.Throws<InvalidOperationException>(() => stream.Record((stream, memory), static with => with.stream.Upload<byte>([1], with.memory)));
        Assert.Throws<InvalidOperationException>(() => stream.Record((stream, memory), static with => with.stream.Download(with.memory, new byte[1].AsSpan())));
        Assert.Throws<InvalidOperationException>(() => stream.Record(stream, static s => s.Record(s, static _ => { })));
    }

    // Only the graph keeps the module from being unloaded.
    private static HipGraph RecordLaunch(HipDevice device, HipStream stream)
    {
        using HipModule module = device.LoadModule(TestCodeObject.Make());
        using HipFunction kernel = module.GetFunction("kernel");
        return stream.Record((stream, kernel), static with => with.kernel.Launch(with.stream, new HipDim3(1), new HipDim3(1), 0, default));
    }
}
