using Rocm.Inference.Native.Handles;
using Rocm.Inference.Native.Hip;

namespace Rocm.Inference.Native.Tests.Hip;

/// <summary>Uses every HIP call once at least, as a session would: memory of all kinds, copies, a kernel eagerly and in a graph, events.</summary>
internal static class DeviceScenario
{
    internal static void Run(HipRuntime runtime)
    {
        HipDevice device = runtime.OpenDefault();
        device.MakeCurrent();
        Assert.Equal(16L << 30, device.Memory().Total);
        using var memory = device.Allocate(4096);
        using var pinned = device.AllocatePinned(4096);
        using HipStream stream = device.CreateStream();
        using HipMemoryPool pool = device.CreatePool();
        using var scratch = stream.Allocate(pool, 8192);
        using HipEvent start = device.CreateEvent(timed: true), end = device.CreateEvent(timed: true);
        using HipModule module = device.LoadModule(TestCodeObject.Make());
        using HipFunction kernel = module.GetFunction("kernel", kernargBytes: 16);

        stream.Record(start);
        Copy(stream, memory, pinned, scratch);
        Assert.Equal(8, kernel.BlocksPerComputeUnit(256, 0));
        Launch(stream, kernel, memory);
        using (HipGraph graph = Record(stream, kernel, memory, pinned))
        {
            Assert.Equal(3, graph.CountNodes());
            using HipGraphExec executable = graph.Instantiate();
            using HipGraph again = Record(stream, kernel, memory, pinned);
            executable.Launch(stream);
            Assert.True(executable.TryUpdate(again));
            executable.Launch(stream);
        }

        stream.Record(end);
        stream.Wait(end);
        Assert.True(end.IsComplete());
        end.Synchronize();
        Assert.Equal(0.5f, end.MillisecondsSince(start));
        Assert.True(stream.IsIdle());
        Assert.Equal((8192, 8192), (pool.UsedBytes, pool.ReservedBytes));
        pool.Trim(0);
        stream.Synchronize();
        device.Synchronize();
    }

    private static void Copy(HipStream stream, MemoryHandle memory, PinnedMemoryHandle pinned, MemoryHandle scratch)
    {
        stream.Upload<int>([1, 2, 3, 4], memory, 16);
        stream.Copy(pinned, 0, memory, 16, 16);
        Assert.Equal(new byte[] { 1, 0, 0, 0, 2, 0, 0, 0 }, pinned.Span(0, 8).ToArray());
        stream.Fill(scratch, 0, 8192, 9);
        stream.Copy(scratch, 8, pinned, 0, 8);
        stream.Copy(memory, 0, scratch, 0, 16);
        int[] back = new int[4];
        stream.Download(memory, back.AsSpan());
        Assert.Equal([0x09090909, 0x09090909, 1, 2], back);
    }

    private static void Launch(HipStream stream, HipFunction kernel, MemoryHandle memory)
    {
        var arguments = new KernargWriter(stackalloc byte[64]);
        arguments.Add(memory, 256);
        arguments.Add(7);
        arguments.Add(1.5f);
        kernel.Launch(stream, new HipDim3(2), new HipDim3(64), 512, arguments.Written);
    }

    private static HipGraph Record(HipStream stream, HipFunction kernel, MemoryHandle memory, MemoryHandle pinned) =>
        stream.Record((stream, kernel, memory, pinned), static with =>
        {
            with.stream.Fill(with.memory, 0, 64, 0);
            Launch(with.stream, with.kernel, with.memory);
            with.stream.Copy(with.pinned, 0, with.memory, 0, 64);
        });
}
