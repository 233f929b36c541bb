using Rocm.Inference.Native.Handles;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Interop;

namespace Rocm.Inference.Native.Tests.Hip;

[Collection(FakeRuntimeTests.Name)]
public sealed class HipFaultTests(FakeRuntime fake)
{
    private const int LaunchFailure = 719;

    // A release cannot throw; what the library refused to release is its to leak.
    private static readonly string[] Releases =
    [
        "hipFree", "hipHostFree", "hipFreeAsync", "hipMemPoolDestroy", "hipStreamDestroy", "hipEventDestroy", "hipModuleUnload", "hipGraphDestroy",
        "hipGraphExecDestroy",
    ];

    // Part of releases as well, where they wait for the device.
    private static readonly string[] InReleases = ["hipGetDevice", "hipSetDevice", "hipDeviceSynchronize"];

    [Fact]
    public void Every_call_that_fails_is_a_typed_error_and_leaks_nothing()
    {
        var failed = new HashSet<string>();
        for (int n = 1; RunWithFailure(n, LaunchFailure, out string? function, out HipException? error); n++)
        {
            failed.Add(function!);
            if (error is null)
            {
                Assert.Contains(function, Releases.Concat(InReleases));
                continue;
            }

            Assert.DoesNotContain(function, Releases);
            Assert.Equal((LaunchFailure, "hipErrorLaunchFailure", function), (error.Code, error.Name, error.Call));
            Assert.Equal(0, error.Device);
            Assert.True(error.IsDeviceFault);
            Assert.IsNotType<HipOutOfMemoryException>(error);
        }

        Assert.Empty(HipExports.Device.Concat(HipExports.Pools).Except(failed));
    }

    [Fact]
    public void Out_of_memory_at_any_call_is_its_own_type_and_leaks_nothing()
    {
        var allocations = new Dictionary<string, long>();
        for (int n = 1; RunWithFailure(n, HipStatus.OutOfMemory, out string? function, out HipException? error); n++)
        {
            if (error is null) continue;
            var memory = Assert.IsType<HipOutOfMemoryException>(error);
            Assert.Equal(function, memory.Call);
            Assert.False(memory.IsDeviceFault);
            if (memory.RequestedBytes > 0) allocations[function!] = memory.RequestedBytes;
        }

        Assert.Equal(
            new Dictionary<string, long> { ["hipMalloc"] = 4096, ["hipHostMalloc"] = 4096, ["hipMallocFromPoolAsync"] = 8192 }, allocations);
    }

    [Fact]
    public void A_device_without_room_says_how_much_was_asked_for_and_is_free()
    {
        HipDevice device = fake.Start().OpenDefault();
        fake.LimitMemory(1000);
        try
        {
            var error = Assert.Throws<HipOutOfMemoryException>(() => device.Allocate(5000));
            Assert.Equal(
                "hipMalloc failed on device 0: hipErrorOutOfMemory, code 2 (out of memory). 5000 bytes were asked for; 1048576 of 17179869184 bytes are free.",
                error.Message);
            using HipStream stream = device.CreateStream();
            using HipMemoryPool pool = device.CreatePool();
            Assert.Equal(2000, Assert.Throws<HipOutOfMemoryException>(() => stream.Allocate(pool, 2000)).RequestedBytes);
        }
        finally
        {
            fake.LimitMemory(ulong.MaxValue);
        }
    }

    [Fact]
    public void A_code_object_for_another_architecture_is_explained()
    {
        HipDevice device = fake.Start().OpenDefault();
        var error = Assert.Throws<HipException>(() => device.LoadModule(TestCodeObject.Make(TestCodeObject.Gfx942)));
        Assert.Equal(
            "hipModuleLoadData failed on device 0: hipErrorNoBinaryForGpu, code 209. The code object is for gfx942, in format version 4; " +
            "the device is gfx1100, the runtime HIP 6.2.41134. It was built for another architecture.",
            error.Message);
        Assert.EndsWith("The bytes are not an ELF code object for AMD GPUs.", Assert.Throws<HipException>(() => device.LoadModule(new byte[100])).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => device.LoadModule([]));
    }

    [Fact]
    public void A_code_object_newer_than_the_runtime_is_explained()
    {
        HipDevice device = fake.Start().OpenDefault();
        fake.FailCall(2, HipStatus.InvalidImage);
        var error = Assert.Throws<HipException>(() => device.LoadModule(TestCodeObject.Make(abi: 4)));
        Assert.Equal("hipModuleLoadData", error.Call);
        Assert.EndsWith("in format version 6; the device is gfx1100, the runtime HIP 6.2.41134. This ROCm reads formats up to 5: it is too old.", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_kernel_that_is_not_there_is_named()
    {
        using HipModule module = fake.Start().OpenDefault().LoadModule(TestCodeObject.Make());
        var error = Assert.Throws<HipException>(() => module.GetFunction("missing_kernel"));
        Assert.Equal("hipModuleGetFunction failed on device 0: hipErrorNotFound, code 500. The kernel asked for is 'missing_kernel'.", error.Message);
    }

    [Fact]
    public void A_device_that_is_not_there_is_refused_with_those_that_are()
    {
        var error = Assert.Throws<HipException>(() => fake.Start().Open(5));
        Assert.Equal("There is no usable HIP device 5; usable are: 0 (Fake Radeon 0).", error.Message);
    }

    [Fact]
    public void A_failing_wait_in_a_capture_leaves_the_stream_usable()
    {
        HipDevice device = fake.Start().OpenDefault();
        using HipStream stream = device.CreateStream();
        var refused = Assert.Throws<HipException>(() => stream.Record(stream, static s => s.Synchronize()));
        Assert.Equal((900, "hipStreamSynchronize"), (refused.Code, refused.Call));
        Assert.Throws<InvalidOperationException>(() => stream.Record(stream, static s => throw new InvalidOperationException("the model's own")));
        // The capture is spoiled although the callback keeps quiet about it.
        var spoiled = Assert.Throws<HipException>(() => stream.Record(stream, static s => Assert.Throws<HipException>(s.Synchronize)));
        Assert.Equal((901, "hipStreamEndCapture"), (spoiled.Code, spoiled.Call));
        Assert.False(stream.IsCapturing);
        stream.Synchronize();
    }

    /// <summary>Runs the scenario with its n-th call failing; false when it has fewer calls.</summary>
    private bool RunWithFailure(int n, int code, out string? function, out HipException? error)
    {
        var ledger = new HandleLedger();
        HipRuntime runtime = fake.Start(ledger);
        long live = fake.Live, misuse = fake.Misuse;
        error = null;
        fake.FailCall(n, code);
        try
        {
            DeviceScenario.Run(runtime);
        }
        catch (HipException e)
        {
            error = e;
        }

        function = fake.Failed;
        fake.FailCall(0, 0);
        bool refused = function is not null && Releases.Contains(function);
        // What was not freed into a pool goes with the pool.
        bool kept = refused && function != "hipFreeAsync";
        Assert.Equal(
            (function, "empty", refused ? 1 : 0, live + (kept ? 1 : 0), misuse), (function, ledger.ToString(), ledger.FailedReleases, fake.Live, fake.Misuse));
        Assert.Equal(error is null ? null : function, error?.Call);
        return function is not null;
    }
}
