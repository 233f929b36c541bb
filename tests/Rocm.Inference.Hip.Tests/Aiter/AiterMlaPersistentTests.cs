using Rocm.Inference.Devices;
using Rocm.Inference.Devices.Hip;
using Rocm.Inference.Devices.Hip.Aiter;
using Rocm.Inference.Devices.Hip.Attention;
using Rocm.Inference.Native.Aiter;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Hip.Tests.Aiter;

/// <summary>A device's latent decode by AITER's persistent kernel, planned on the device, against attention in double precision.</summary>
[Collection(AiterCheckout.Collection)]
public sealed class AiterMlaPersistentTests(ITestOutputHelper log)
{
    // As of the other kernels: results and probabilities are rounded to bf16.
    private const double Limit = 0.004;

    // The table with the queries, the plan, AITER's kernel, the merge.
    private const int Launches = 4;

    [Theory]
    [InlineData(16, 1, true)]
    [InlineData(16, 1, false)]
    [InlineData(12, 1, false)]
    [InlineData(16, 4, false)]
    [InlineData(5, 3, false)]
    public void Decode_agrees_with_the_oracle_whole_and_cut(int heads, int longest, bool direct)
    {
        using AiterCheckout aiter = AiterCheckout.Open();
        using HipGpu gpu = EmulatedGpu.Create(EmulatedGpu.Gfx942);
        using AiterAttentionKernels kernels = Create(gpu);
        using var tensors = new PoisonedTensors(gpu, 64 << 20);
        var random = new TestRandom(heads + longest);
        var c = new LatentDecodeCase(gpu, random, heads, [(1, 1), (300, longest), (64, 1), (65, longest), (66, 1), (130, Math.Min(2, longest))]);
        MlaDecodeArgs args = c.Args(tensors, 320, padded: !direct, lse: false);
        EmulatedGpu.Instance.Set("fail", "");
        kernels.MlaDecode(tensors.Context, args);
        Assert.Equal(Launches, EmulatedGpu.Instance.Calls("hipModuleLaunchKernel"));
        uint[] bits = tensors.ReadBits(args.Output);
        log.WriteLine($"seed {random.Seed}, largest error {c.Check(tensors, args, Limit, 0):0.00000}");

        // Layers share the table and the plan.
        TensorView plan = Plan(kernels, tensors, args);
        EmulatedGpu.Instance.Set("fail", "");
        kernels.MlaDecode(tensors.Context, args with { Plan = plan });
        Assert.Equal(Launches - 1, EmulatedGpu.Instance.Calls("hipModuleLaunchKernel"));
        Assert.Equal(bits, tensors.ReadBits(args.Output));
        tensors.Verify();
    }

    [Fact]
    public void A_recorded_plan_follows_the_lengths_that_the_device_has_when_it_is_replayed()
    {
        using AiterCheckout aiter = AiterCheckout.Open();
        using HipGpu gpu = EmulatedGpu.Create(EmulatedGpu.Gfx942);
        using AiterAttentionKernels kernels = Create(gpu);
        using var tensors = new PoisonedTensors(gpu, 64 << 20);
        var c = new LatentDecodeCase(gpu, new TestRandom(7), 16, [(130, 1), (200, 1)]);
        MlaDecodeArgs args = c.Args(tensors, 256, padded: false, lse: false), eager = c.Args(tensors, 256, padded: false, lse: false);
        TensorView memory = Plan(kernels, tensors, args);
        kernels.MlaDecode(tensors.Context, args with { Plan = memory });
        using IRecordedWork recorded = tensors.Context.Record((kernels, tensors.Context, args, memory), static work =>
        {
            TensorView plan = work.kernels.PlanDecode(work.Context, PlanArgs(work.args), work.memory);
            work.kernels.MlaDecode(work.Context, work.args with { Plan = plan });
        });
        // Over the ends of blocks and of granules: one more is one more cut.
        foreach (int[] lengths in (int[][])[[15, 63], [16, 64], [17, 65], [64, 128], [65, 129], [128, 192], [129, 193], [130, 200], [1, 5]])
        {
            tensors.Context.Upload<int>(lengths, args.SeqLens);
            tensors.Context.Upload<int>(lengths, eager.SeqLens);
            kernels.MlaDecode(tensors.Context, eager);
            tensors.Context.Replay(recorded, 0, static _ => { });
            Assert.Equal(tensors.ReadBits(eager.Output), tensors.ReadBits(args.Output));
        }
    }

    [Fact]
    public void Its_scratch_memory_is_what_was_announced_and_more_than_the_budget_or_an_LSE_goes_to_the_other_kernel()
    {
        using AiterCheckout aiter = AiterCheckout.Open();
        using HipGpu gpu = EmulatedGpu.Create(EmulatedGpu.Gfx942);
        using AiterAttentionKernels kernels = Create(gpu), small = Create(gpu, budget: 200 << 10);
        using var tensors = new PoisonedTensors(gpu, 0);
        var c = new LatentDecodeCase(gpu, new TestRandom(3), 16, [(30, 1), (70, 1)]);
        MlaDecodeArgs args = c.Args(tensors, 96, padded: true, lse: false), withLse = c.Args(tensors, 96, padded: true, lse: true);
        tensors.Context.Synchronize();
        foreach ((AiterAttentionKernels which, MlaDecodeArgs call, bool isPersistent) in ((AiterAttentionKernels, MlaDecodeArgs, bool)[])[
            (small, args, false), (kernels, withLse, false), (kernels, args, true)])
        {
            using DeviceContext context = gpu.CreateContext(which.MlaDecodeScratchBytes(c.Spec, new BatchLimits(2, 2, 96)));
            which.MlaDecode(context, call);
            context.Synchronize();
            c.Check(tensors, call, Limit, 1e-4);
            Assert.Equal(isPersistent, gpu.Library.LoadedUnits.Any(unit => unit.File == "attention/aiter_plan.hip"));
        }
    }

    [Fact]
    public void A_decode_whose_like_has_run_before_allocates_nothing()
    {
        using AiterCheckout aiter = AiterCheckout.Open();
        using HipGpu gpu = EmulatedGpu.Create(EmulatedGpu.Gfx942);
        using AiterAttentionKernels kernels = Create(gpu);
        using var tensors = new PoisonedTensors(gpu, 64 << 20);
        MlaDecodeArgs args = new LatentDecodeCase(gpu, new TestRandom(5), 12, [(20, 1)]).Args(tensors, 64, padded: false, lse: false);
        TensorView memory = tensors.Poison(DType.U8, kernels.DecodePlanBytes(args.Spec, new BatchLimits(1, 1, 64)));
        for (int i = 0; i < 3; i++) Step();
        long before = GC.GetAllocatedBytesForCurrentThread();
        Step();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        void Step() => kernels.MlaDecode(tensors.Context, args with { Plan = kernels.PlanDecode(tensors.Context, PlanArgs(args), memory) });
    }

    private static TensorView Plan(AiterAttentionKernels kernels, PoisonedTensors tensors, in MlaDecodeArgs args) => kernels.PlanDecode(
        tensors.Context, PlanArgs(args), tensors.Poison(DType.U8, kernels.DecodePlanBytes(args.Spec, new BatchLimits(args.NumRows, args.NumRows, args.MaxSeqLen))));

    private static DecodePlanArgs PlanArgs(in MlaDecodeArgs args) => new()
    {
        Spec = args.Spec, Cache = args.Cache, SeqLens = args.SeqLens, BlockTable = args.BlockTable, NumRows = args.NumRows, MaxQueryLen = args.MaxQueryLen,
        MaxSeqLen = args.MaxSeqLen,
    };

    private static AiterAttentionKernels Create(HipGpu gpu, long budget = 256 << 20)
    {
        AiterInstallation installation = AiterInstallation.Locate(AiterSearch.FromEnvironment(null)).Installation!;
        return new AiterAttentionKernels((HipAttentionKernels)gpu.AttentionKernels, AiterKernelLibrary.Open(gpu.Native, installation, false, out _), "")
        {
            LatentBudgetBytes = budget, PrefersPersistent = true,
        };
    }
}
