using Rocm.Inference.Native.Handles;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Interop;
using Rocm.Inference.Native.Rccl;
using Rocm.Inference.Native.Tests.Hip;

namespace Rocm.Inference.Native.Tests.Rccl;

[Collection(FakeRuntimeTests.Name)]
public sealed class RcclCommunicatorTests(FakeRuntime fake)
{
    [Fact]
    public void Every_call_that_fails_is_a_typed_error_and_leaks_nothing()
    {
        var failed = new HashSet<string>();
        for (int n = 1; ; n++)
        {
            var ledger = new HandleLedger();
            HipRuntime runtime = fake.Start(ledger);
            long live = fake.Live, misuse = fake.Misuse;
            fake.FailCall(n, 5);
            Exception? error = Record.Exception(() => Exchange(runtime, 12));
            string? function = fake.Failed;
            fake.FailCall(0, 0);
            bool kept = function is not null && function.EndsWith("Destroy", StringComparison.Ordinal);
            Assert.Equal("empty", ledger.ToString());
            Assert.Equal((live + (kept ? 1 : 0), misuse), (fake.Live, fake.Misuse));
            if (function is null) break;
            failed.Add(function);
            if (!kept) Assert.Equal((function, 5), (((HipException)error!).Call, ((HipException)error).Code));
        }

        Assert.Empty(RocmLibrary.Rccl.RequiredExports.Except(["ncclGetVersion", "ncclGetErrorString"]).Except(failed));
    }

    [Fact]
    public void A_collective_that_fails_later_is_an_error_of_the_communicator()
    {
        var error = Assert.Throws<HipException>(() => Exchange(fake.Start(), 13));
        Assert.Equal("ncclCommGetAsyncError failed on device 0: invalid usage, code 5.", error.Message);
    }

    [Fact]
    public void A_rank_outside_of_the_group_is_refused() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => RcclCommunicator.Join(fake.Start().OpenDefault(), default, ranks: 2, rank: 2));

    private static void Exchange(HipRuntime runtime, long count)
    {
        HipDevice device = runtime.OpenDefault();
        using HipStream stream = device.CreateStream();
        using RcclCommunicator communicator = RcclCommunicator.Join(device, RcclCommunicator.CreateId(runtime.LibraryPath), ranks: 2, rank: 1);
        communicator.AllGather(stream, 256, 512, count, RcclDataType.BFloat16);
        communicator.AllReduceSum(stream, 256, 256, count, RcclDataType.BFloat16);
        communicator.ThrowIfFailed();
    }
}
