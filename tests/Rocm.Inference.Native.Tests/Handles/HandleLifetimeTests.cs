using System.Runtime.CompilerServices;
using Rocm.Inference.Native.Handles;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Tests.Hip;

namespace Rocm.Inference.Native.Tests;

[Collection(FakeRuntimeTests.Name)]
public sealed class HandleLifetimeTests(FakeRuntime fake)
{
    [Fact]
    public void Dispose_works_in_any_order_and_more_than_once()
    {
        int seed = Random.Shared.Next();
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        var random = new Random(seed);
        for (int round = 0; round < 60; round++)
        {
            var ledger = new HandleLedger();
            HipRuntime runtime = fake.Start(ledger);
            long live = fake.Live, misuse = fake.Misuse;
            IDisposable[] owners = MakeOneOfEach(runtime.OpenDefault());
            Assert.True(ledger.Total >= owners.Length, ledger.ToString());
            random.Shuffle(owners);
            foreach (IDisposable owner in owners)
            {
                owner.Dispose();
                owner.Dispose();
            }

            Assert.Equal("empty", ledger.ToString());
            Assert.Equal((live, misuse, 0), (fake.Live, fake.Misuse, ledger.FailedReleases));
        }
    }

    [Fact]
    public void What_is_dropped_is_released_by_finalizers()
    {
        var ledger = new HandleLedger();
        HipRuntime runtime = fake.Start(ledger);
        long live = fake.Live, misuse = fake.Misuse;
        Drop(runtime);
        Assert.True(ledger.Total > 0);
        for (int i = 0; i < 50 && ledger.Total > 0; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        Assert.Equal("empty", ledger.ToString());
        Assert.Equal((live, misuse), (fake.Live, fake.Misuse));
    }

    [Fact]
    public void Threads_that_launch_while_another_disposes_get_an_answer_and_nothing_is_used_after_its_end()
    {
        var ledger = new HandleLedger();
        HipDevice device = fake.Start(ledger).OpenDefault();
        long live = fake.Live, misuse = fake.Misuse;
        for (int round = 0; round < 20; round++)
        {
            HipModule module = device.LoadModule(TestCodeObject.Make());
            HipFunction kernel = module.GetFunction("kernel");
            HipStream stream = device.CreateStream();
            using var started = new CountdownEvent(4);
            Thread[] threads = [.. Enumerable.Range(0, 4).Select(_ => new Thread(() => LaunchUntilDisposed(stream, kernel, started)))];
            foreach (Thread thread in threads) thread.Start();
            started.Wait();
            module.Dispose();
            kernel.Dispose();
            stream.Dispose();
            foreach (Thread thread in threads) thread.Join();
        }

        Assert.Equal("empty", ledger.ToString());
        Assert.Equal((live, misuse), (fake.Live, fake.Misuse));
    }

    [Fact]
    public void Many_threads_may_dispose_the_same_objects()
    {
        var ledger = new HandleLedger();
        HipDevice device = fake.Start(ledger).OpenDefault();
        long live = fake.Live, misuse = fake.Misuse;
        IDisposable[] owners = [.. Enumerable.Range(0, 20).SelectMany(_ => MakeOneOfEach(device))];
        Thread[] threads = [.. Enumerable.Range(0, 4).Select(i => new Thread(() => DisposeShuffled(owners, i)))];
        foreach (Thread thread in threads) thread.Start();
        foreach (Thread thread in threads) thread.Join();

        Assert.Equal("empty", ledger.ToString());
        Assert.Equal((live, misuse, 0), (fake.Live, fake.Misuse, ledger.FailedReleases));
    }

    [Fact]
    public void A_disposed_object_refuses_further_use()
    {
        HipDevice device = fake.Start().OpenDefault();
        HipStream stream = device.CreateStream();
        using HipModule module = device.LoadModule(TestCodeObject.Make());
        using HipFunction kernel = module.GetFunction("kernel");
        using HipMemoryPool pool = device.CreatePool();
        DeviceMemoryHandle memory = device.Allocate(16);
        memory.Dispose();
        Assert.Throws<ObjectDisposedException>(() => stream.Fill(memory, 0, 16, 0));
        stream.Dispose();
        Assert.Throws<ObjectDisposedException>(stream.Synchronize);
        Assert.Throws<ObjectDisposedException>(() => stream.Allocate(pool, 16));
        Assert.Throws<ObjectDisposedException>(() => kernel.Launch(stream, new HipDim3(1), new HipDim3(1), 0, default));
        kernel.Dispose();
        Assert.Throws<ObjectDisposedException>(() => kernel.BlocksPerComputeUnit(64, 0));
        module.Dispose();
        Assert.Throws<ObjectDisposedException>(() => module.GetFunction("other"));
    }

    [Fact]
    public void A_process_that_ends_with_live_objects_and_busy_finalizers_ends_well()
    {
        var environment = new Dictionary<string, string> { ["FAKE_HIP_SLOW_EXIT"] = "1" };
        Assert.Equal("leaving", ChildProcess.Run(ChildProcess.Exit, [fake.LibraryPath], environment).Trim());
    }

    /// <summary>In the child process: ends while objects are alive, being finalized and being disposed of.</summary>
    internal static void EndWithLiveObjects(string library)
    {
        HipRuntime runtime = HipRuntime.Load(library);
        HipDevice device = runtime.OpenDefault();
        HipEvent[] events = [.. Enumerable.Range(0, 5000).Select(_ => device.CreateEvent())];
        for (int i = 0; i < 100; i++) Drop(runtime);
        new Thread(() => DisposeSlowly(events)) { IsBackground = true }.Start();
        new Thread(CollectForever) { IsBackground = true }.Start();
        Console.WriteLine("leaving");
    }

    private static void CollectForever()
    {
        while (true) GC.Collect();
    }

    private static void DisposeSlowly(HipEvent[] events)
    {
        foreach (HipEvent dropped in events)
        {
            dropped.Dispose();
            Thread.SpinWait(2000);
        }
    }

    private static void DisposeShuffled(IDisposable[] owners, int seed)
    {
        IDisposable[] mine = [.. owners];
        new Random(seed).Shuffle(mine);
        foreach (IDisposable owner in mine) owner.Dispose();
    }

    private static void LaunchUntilDisposed(HipStream stream, HipFunction kernel, CountdownEvent started)
    {
        started.Signal();
        try
        {
            while (true) kernel.Launch(stream, new HipDim3(1), new HipDim3(64), 0, [1, 2, 3, 4]);
        }
        catch (ObjectDisposedException)
        {
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Drop(HipRuntime runtime) => _ = MakeOneOfEach(runtime.OpenDefault());

    private static IDisposable[] MakeOneOfEach(HipDevice device)
    {
        HipStream stream = device.CreateStream();
        HipMemoryPool pool = device.CreatePool();
        PoolMemoryHandle scratch = stream.Allocate(pool, 64);
        DeviceMemoryHandle memory = device.Allocate(64);
        PinnedMemoryHandle pinned = device.AllocatePinned(64);
        HipModule module = device.LoadModule(TestCodeObject.Make());
        HipFunction kernel = module.GetFunction("kernel");
        HipGraph graph = stream.Record((stream, kernel, memory, scratch), static with =>
        {
            with.kernel.Launch(with.stream, new HipDim3(1), new HipDim3(1), 0, default);
            with.stream.Copy(with.memory, 0, with.scratch, 0, 64);
        });
        HipGraphExec executable = graph.Instantiate();
        HipGraph other = stream.Record((stream, memory, pinned), static with =>
        {
            with.stream.Fill(with.memory, 0, 64, 1);
            with.stream.Copy(with.pinned, 0, with.memory, 0, 64);
        });
        HipGraphExec another = other.Instantiate();
        return [stream, pool, scratch, memory, pinned, module, kernel, graph, executable, other, another, device.CreateEvent()];
    }
}
