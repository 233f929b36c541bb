using Rocm.Inference.Native.Handles;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.HipBlasLt;
using Rocm.Inference.Native.Interop;
using Rocm.Inference.Native.Tests.Hip;

namespace Rocm.Inference.Native.Tests.HipBlasLt;

[Collection(FakeRuntimeTests.Name)]
public sealed class HipBlasLtTests(FakeRuntime fake)
{
    [Fact]
    public void A_product_that_does_not_fit_into_the_workspace_is_not_planned()
    {
        HipRuntime runtime = fake.Start();
        using HipBlasLtContext context = HipBlasLtContext.TryCreate(runtime.LibraryPath, runtime.OpenDefault(), out _)!;
        Assert.Null(HipBlasLtLinear.TryPlan(context, HipBlasLtShape.Dense(4, 5, 6), HipDataType.BFloat16, HipDataType.Float32, maxWorkspaceBytes: 63));
        using HipBlasLtLinear? plan = HipBlasLtLinear.TryPlan(context, HipBlasLtShape.Dense(4, 5, 6), HipDataType.BFloat16, HipDataType.Float32, maxWorkspaceBytes: 64);
        Assert.Equal(64, plan!.WorkspaceBytes);
    }

    [Fact]
    public void Every_call_that_fails_is_a_typed_error_and_leaks_nothing_but_a_search_for_a_kernel_which_finds_none()
    {
        var failed = new HashSet<string>();
        foreach (int code in (int[])[6, 2])
        {
            for (int n = 1; ; n++)
            {
                var ledger = new HandleLedger();
                HipRuntime runtime = fake.Start(ledger);
                long live = fake.Live, misuse = fake.Misuse;
                fake.FailCall(n, code);
                Exception? error = Record.Exception(() => Multiply(runtime));
                string? function = fake.Failed;
                fake.FailCall(0, 0);
                bool kept = function is not null && function.EndsWith("Destroy", StringComparison.Ordinal);
                Assert.Equal("empty", ledger.ToString());
                Assert.Equal((live + (kept ? 1 : 0), misuse), (fake.Live, fake.Misuse));
                if (function is null) break;
                failed.Add(function);
                if (kept) continue;
                if (function == "hipblasLtMatmulAlgoGetHeuristic")
                {
                    Assert.Null(error);
                    continue;
                }

                Assert.Equal((function, code, (int?)0), (((HipException)error!).Call, ((HipException)error).Code, ((HipException)error).Device));
                Assert.Equal(code == 2, error is HipOutOfMemoryException);
            }
        }

        Assert.Empty(RocmLibrary.HipBlasLt.RequiredExports.Except(failed));
    }

    private static void Multiply(HipRuntime runtime)
    {
        HipDevice device = runtime.OpenDefault();
        using HipStream stream = device.CreateStream();
        using HipBlasLtContext? context = HipBlasLtContext.TryCreate(runtime.LibraryPath, device, out string reason);
        Assert.Empty(reason);
        using HipBlasLtLinear? plan = HipBlasLtLinear.TryPlan(context!, HipBlasLtShape.Dense(4, 5, 6), HipDataType.BFloat16, HipDataType.Float32, maxWorkspaceBytes: 100);
        plan?.Run(stream, 256, 512, 768, 1024);
    }
}
