using Rocm.Inference.Devices.Hip;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Hip.Tests;

/// <summary>
/// Sessions whose HIP calls fail, one at a time: at load and in a short generation. Whatever fails, the error is typed and names the call, every stream ends
/// with it, the session faults once, and nothing native stays behind. A sample of calls; all of them with ROCM_INFERENCE_FULL_CONFORMANCE=1.
/// </summary>
[Collection(EmulatorOptions.Collection)]
public sealed class HipFaultTests : IDisposable
{
    private const string Target = EmulatedGpu.Gfx1100;
    private const int Unknown = 999;
    private const int OutOfMemory = 2;
    private const int LaunchFailure = 719;

    /// <summary>Calls whose failure cannot be lived with.</summary>
    private static readonly (string Call, int Code)[] Needed =
    [
        ("hipMalloc", OutOfMemory), ("hipMalloc", Unknown), ("hipHostMalloc", OutOfMemory), ("hipMemcpyAsync", Unknown), ("hipMemsetAsync", Unknown),
        ("hipModuleLoadData", 209), ("hipModuleGetFunction", 500), ("hipFuncGetAttribute", Unknown), ("hipModuleLaunchKernel", LaunchFailure),
        ("hipModuleLaunchKernel", Unknown), ("hipStreamSynchronize", LaunchFailure), ("hipStreamCreateWithFlags", Unknown), ("hipGraphLaunch", Unknown),
    ];

    /// <summary>Calls that there is a way around, or whose failure is left to the next call.</summary>
    private static readonly (string Call, int Code)[] Others =
    [
        ("hipStreamBeginCapture", Unknown), ("hipStreamEndCapture", 901), ("hipGraphInstantiate", Unknown), ("hipGetDevice", Unknown), ("hipSetDevice", Unknown),
        ("hipMemGetInfo", Unknown), ("hipFree", Unknown), ("hipHostFree", Unknown), ("hipStreamDestroy", Unknown), ("hipModuleUnload", Unknown),
        ("hipGraphDestroy", Unknown), ("hipGraphExecDestroy", Unknown), ("hipDeviceSynchronize", Unknown), ("hipEventCreateWithFlags", Unknown),
        ("hipEventRecord", Unknown), ("hipEventSynchronize", Unknown),
    ];

    public void Dispose()
    {
        if (EmulatedGpu.Missing is null) EmulatorOptions.Reset();
    }

    [Fact]
    public async Task A_call_that_fails_ends_loading_or_all_streams_with_its_name_and_leaves_nothing_behind()
    {
        FaultRun usual = await FaultRun.StartAsync(Target, script: "", [.. Needed.Concat(Others).Select(entry => entry.Call)]);
        Assert.Null(usual.Error);
        Assert.Equal("empty", usual.Ledger);
        TestRandom random = Draw();
        int runs = 0;
        foreach (((string call, int code), bool isNeeded) in Needed.Select(entry => (entry, true)).Concat(Others.Select(entry => (entry, false))))
        {
            long calls = usual.Calls(call);
            if (isNeeded) Assert.True(calls > 0, $"{call} is never called: the test does not test it");
            foreach (long number in Numbers(calls, random))
            {
                FaultRun run = await FaultRun.StartAsync(Target, $"{call}:{number}={code}");
                runs++;
                if (run.Error is not null) run.AssertEndedBy(call);
                else Assert.Equal(usual.Tokens, run.Tokens);

                // While a step is recorded nothing is lost yet: it is run without.
                if (isNeeded) Assert.True(run.Error is not null || run.NumRefusedRecordings == 1, $"{run.Script}: nothing failed");
                if (!call.EndsWith("Free", StringComparison.Ordinal) && !call.EndsWith("Destroy", StringComparison.Ordinal) && !call.EndsWith("Unload", StringComparison.Ordinal))
                    Assert.True(run.Ledger == "empty", $"{run.Script}: {run.Ledger} left");
            }
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{runs} runs");
    }

    [Fact]
    public async Task Out_of_memory_is_told_as_such_with_the_numbers_at_any_allocation()
    {
        FaultRun usual = await FaultRun.StartAsync(Target, script: "", "hipMalloc");
        foreach (long number in Numbers(usual.Calls("hipMalloc"), Draw()))
        {
            FaultRun run = await FaultRun.StartAsync(Target, $"hipMalloc:{number}={OutOfMemory}");
            var error = Assert.IsType<DeviceMemoryException>(run.Error!.GetBaseException() is HipOutOfMemoryException ? Unwrap(run.Error) : run.Error);
            Assert.True(error.RequestedBytes > 0 && error.AvailableBytes > 0, error.Message);
            Assert.Contains("has no room for", error.Message, StringComparison.Ordinal);
        }

        static Exception Unwrap(Exception error) => error is DeviceMemoryException ? error : error.InnerException!;
    }

    [Fact]
    public async Task A_device_that_is_lost_ends_every_stream_with_one_cause_and_the_session_answers_no_more()
    {
        using HipGpu gpu = HipSessions.Open(Target);
        await using InferenceSession session = await HipSessions.LoadAsync(gpu, HipSessions.Options(HipSessions.TinyLlama, AttentionBackendNames.TritonAttn));
        await session.CompleteAsync((int[])[4094, 448], HipSessions.Greedy(1));

        // Every kernel runs into this and is ended as one that hangs: the device stays lost.
        EmulatedGpu.Instance.Set("budget", "1");
        Task<GenerationResult>[] streams = [.. Enumerable.Range(0, 3).Select(i => Task.Run(() => session.CompleteAsync((int[])[4094, 448, 300 + i], HipSessions.Greedy(8))))];
        var causes = new List<Exception>();
        foreach (Task<GenerationResult> stream in streams) causes.Add((await Assert.ThrowsAsync<RocmInferenceException>(() => stream)).InnerException!);
        Assert.Equal(SessionState.Faulted, session.State);
        var later = await Assert.ThrowsAsync<RocmInferenceException>(() => session.CompleteAsync((int[])[4094], HipSessions.Greedy(1)));
        Assert.All(causes, cause => Assert.Same(later.InnerException, cause));
        Assert.True(Assert.IsType<HipException>(later.InnerException).IsDeviceFault);
    }

    private static TestRandom Draw()
    {
        var random = new TestRandom(Environment.TickCount);
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {random.Seed}");
        return random;
    }

    /// <summary>The first, the last and one in between of so many calls; all of them on demand.</summary>
    private static IEnumerable<long> Numbers(long calls, TestRandom random)
    {
        if (EmulatorOptions.RunsAll) return Enumerable.Range(1, (int)calls).Select(number => (long)number);
        return calls == 0 ? [] : ((long[])[1, calls, 1 + random.Next(0, (int)calls)]).Distinct();
    }
}
