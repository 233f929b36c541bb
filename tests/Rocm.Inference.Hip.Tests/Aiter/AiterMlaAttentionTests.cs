using Rocm.Inference.Devices;
using Rocm.Inference.Devices.Hip;
using Rocm.Inference.Devices.Hip.Aiter;
using Rocm.Inference.Devices.Hip.Attention;
using Rocm.Inference.Native.Aiter;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Hip.Tests.Aiter;

/// <summary>A device's latent decode by AITER's kernels, with this library's kernels around them, against attention in double precision.</summary>
[Collection(AiterCheckout.Collection)]
public sealed class AiterMlaAttentionTests(ITestOutputHelper log)
{
    // Results are rounded to bf16 (2^-9 of each, at random), probabilities too before the second product.
    private const double Limit = 0.004;
    private const double LseLimit = 1e-4;

    // Prepare, AITER's kernel, reduce.
    private const int Launches = 3;

    [Theory]
    [InlineData(16, 1024, 5)]
    [InlineData(16, 320, 3)]
    [InlineData(5, 320, 3)]
    [InlineData(12, 320, 3)]
    [InlineData(20, 320, 2)]
    [InlineData(40, 320, 2)]
    [InlineData(128, 320, 2)]
    public void Decode_of_any_number_of_heads_agrees_with_the_oracle(int heads, int maxSeqLen, int rows)
    {
        int[] contexts = [1, 300, 64, 17, 65];
        Run(heads, [.. contexts[..rows].Select(context => (context, 1))], maxSeqLen, lse: true, Launches);
    }

    [Theory]
    [InlineData(16, 2)]
    [InlineData(11, 4)]
    [InlineData(16, 8)]
    public void Rows_of_unequal_numbers_of_new_tokens_agree_with_the_oracle(int heads, int longest) =>
        Run(heads, [(1, 1), (150, longest), (64, 1), (longest, longest), (16, 2), (5, 0)], 256, lse: true, Launches);

    [Theory]
    [InlineData(false, 2)]
    [InlineData(true, 3)]
    public void More_rows_than_compute_units_are_not_split_and_written_in_place_where_nothing_else_is_asked_for(bool lse, int launches) =>
        Run(32, [.. Enumerable.Range(0, 304).Select(r => (1 + (r % 4), 1))], 4, lse, launches);

    [Fact]
    public void A_step_that_exceeds_the_budget_goes_in_passes_and_its_scratch_memory_is_what_was_announced()
    {
        using AiterCheckout aiter = AiterCheckout.Open();
        using HipGpu gpu = EmulatedGpu.Create(EmulatedGpu.Gfx942);
        using AiterAttentionKernels kernels = Create(gpu, budget: 1200 << 10);
        using var tensors = new PoisonedTensors(gpu, 0);
        var c = new LatentDecodeCase(gpu, new TestRandom(3), 16, [(30, 1), (70, 1), (1, 1), (64, 1), (90, 1)]);
        MlaDecodeArgs args = c.Args(tensors, 96, padded: true, lse: true);
        long arena = kernels.MlaDecodeScratchBytes(c.Spec, new BatchLimits(5, 5, 96));
        Assert.InRange(arena, 1200 << 10, 3 << 20);
        using DeviceContext context = gpu.CreateContext(arena);
        tensors.Context.Synchronize();
        EmulatedGpu.Instance.Set("fail", "");
        kernels.MlaDecode(context, args);
        Assert.Equal(3 * Launches, EmulatedGpu.Instance.Calls("hipModuleLaunchKernel"));
        context.Synchronize();
        c.Check(tensors, args, Limit, LseLimit);
        tensors.Verify();
    }

    [Fact]
    public void A_recorded_decode_follows_the_lengths_that_the_device_has_when_it_is_replayed()
    {
        using AiterCheckout aiter = AiterCheckout.Open();
        using HipGpu gpu = EmulatedGpu.Create(EmulatedGpu.Gfx942);
        using AiterAttentionKernels kernels = Create(gpu);
        using var tensors = new PoisonedTensors(gpu, 64 << 20);
        var c = new LatentDecodeCase(gpu, new TestRandom(4), 16, [(130, 1), (33, 1)]);
        MlaDecodeArgs args = c.Args(tensors, 256, padded: false, lse: true), eager = c.Args(tensors, 256, padded: false, lse: true);
        kernels.MlaDecode(tensors.Context, args);
        using IRecordedWork recorded = tensors.Context.Record(
            (kernels, tensors.Context, args), static work => work.kernels.MlaDecode(work.Context, work.args));
        foreach (int[] lengths in (int[][])[[130, 33], [65, 1], [64, 20]])
        {
            tensors.Context.Upload<int>(lengths, args.SeqLens);
            tensors.Context.Upload<int>(lengths, eager.SeqLens);
            kernels.MlaDecode(tensors.Context, eager);
            tensors.Context.Replay(recorded, 0, static _ => { });
            Assert.Equal(tensors.ReadBits(eager.Output), tensors.ReadBits(args.Output));
            Assert.Equal(tensors.ReadBits(eager.Lse), tensors.ReadBits(args.Lse));
        }
    }

    [Theory]
    [InlineData(256 << 20, 1)]
    [InlineData(1200 << 10, 3)]
    public void Layers_of_a_step_share_one_table_of_tokens_also_in_passes(int budget, int passes)
    {
        using AiterCheckout aiter = AiterCheckout.Open();
        using HipGpu gpu = EmulatedGpu.Create(EmulatedGpu.Gfx942);
        using AiterAttentionKernels kernels = Create(gpu, budget);
        using var tensors = new PoisonedTensors(gpu, 64 << 20);
        var c = new LatentDecodeCase(gpu, new TestRandom(6), 16, [(30, 1), (70, 1), (1, 1), (64, 1), (90, 1)]);
        MlaDecodeArgs first = c.Args(tensors, 96, padded: true, lse: true), second = c.Args(tensors, 96, padded: true, lse: true);
        EmulatedGpu.Instance.Set("fail", "");
        TensorView plan = Plan(kernels, tensors, first);
        Assert.False(plan.IsAbsent);
        // What a layer's own table would be made from is not read again.
        kernels.MlaDecode(tensors.Context, first with { Plan = plan, BlockTable = tensors.I32(new int[5], 5, 1) });
        kernels.MlaDecode(tensors.Context, second with { Plan = plan, BlockTable = tensors.I32(new int[5], 5, 1) });
        Assert.Equal(1 + (2 * passes * Launches), EmulatedGpu.Instance.Calls("hipModuleLaunchKernel"));
        tensors.Context.Synchronize();
        c.Check(tensors, first, Limit, LseLimit);
        c.Check(tensors, second, Limit, LseLimit);
        tensors.Verify();
    }

    [Fact]
    public void A_recorded_table_follows_the_lengths_and_those_of_two_steps_are_apart()
    {
        using AiterCheckout aiter = AiterCheckout.Open();
        using HipGpu gpu = EmulatedGpu.Create(EmulatedGpu.Gfx942);
        using AiterAttentionKernels kernels = Create(gpu);
        using var tensors = new PoisonedTensors(gpu, 64 << 20);
        var c = new LatentDecodeCase(gpu, new TestRandom(7), 16, [(130, 1), (200, 1)]);
        MlaDecodeArgs args = c.Args(tensors, 256, padded: false, lse: true), eager = c.Args(tensors, 256, padded: false, lse: true);
        args = args with { Plan = Plan(kernels, tensors, args) };
        kernels.MlaDecode(tensors.Context, args);
        TensorView memory = args.Plan;
        using IRecordedWork recorded = tensors.Context.Record((kernels, tensors.Context, args, memory), static work =>
        {
            TensorView plan = work.kernels.PlanDecode(work.Context, PlanArgs(work.args), work.memory);
            work.kernels.MlaDecode(work.Context, work.args with { Plan = plan });
        });
        // Over the ends of blocks, of tiles and of what a split holds.
        foreach (int[] lengths in (int[][])[[15, 63], [16, 64], [17, 65], [128, 192], [130, 200], [1, 5]])
        {
            tensors.Context.Upload<int>(lengths, args.SeqLens);
            tensors.Context.Upload<int>([131 - lengths[0], 201 - lengths[1]], eager.SeqLens);
            TensorView other = Plan(kernels, tensors, eager);
            tensors.Context.Replay(recorded, 0, static _ => { });
            kernels.MlaDecode(tensors.Context, eager with { Plan = other });
            uint[] planned = tensors.ReadBits(eager.Output);
            kernels.MlaDecode(tensors.Context, eager);
            Assert.Equal(tensors.ReadBits(eager.Output), planned);
            tensors.Context.Upload<int>(lengths, eager.SeqLens);
            kernels.MlaDecode(tensors.Context, eager);
            Assert.Equal(tensors.ReadBits(eager.Output), tensors.ReadBits(args.Output));
            Assert.Equal(tensors.ReadBits(eager.Lse), tensors.ReadBits(args.Lse));
        }
    }

    [Fact]
    public void A_table_that_the_memory_has_no_room_for_is_not_made()
    {
        using AiterCheckout aiter = AiterCheckout.Open();
        using HipGpu gpu = EmulatedGpu.Create(EmulatedGpu.Gfx942);
        using AiterAttentionKernels kernels = Create(gpu);
        using var tensors = new PoisonedTensors(gpu, 64 << 20);
        MlaDecodeArgs args = new LatentDecodeCase(gpu, new TestRandom(8), 16, [(20, 1)]).Args(tensors, 64, padded: false, lse: false);
        long bytes = kernels.DecodePlanBytes(args.Spec, new BatchLimits(1, 1, 64));
        Assert.Equal(bytes, Plan(kernels, tensors, args).Count);
        Assert.True(kernels.PlanDecode(tensors.Context, PlanArgs(args), tensors.Poison(DType.U8, bytes - 1)).IsAbsent);
        Assert.Equal(0, kernels.DecodePlanBytes(args.Spec with { KvLoraRank = 256 }, new BatchLimits(1, 1, 64)));
    }

    [Fact]
    public void A_decode_whose_like_has_run_before_allocates_nothing()
    {
        using AiterCheckout aiter = AiterCheckout.Open();
        using HipGpu gpu = EmulatedGpu.Create(EmulatedGpu.Gfx942);
        using AiterAttentionKernels kernels = Create(gpu);
        using var tensors = new PoisonedTensors(gpu, 64 << 20);
        MlaDecodeArgs args = new LatentDecodeCase(gpu, new TestRandom(5), 12, [(20, 1)]).Args(tensors, 64, padded: false, lse: true);
        TensorView memory = tensors.Poison(DType.U8, kernels.DecodePlanBytes(args.Spec, new BatchLimits(1, 1, 64)));
        for (int i = 0; i < 3; i++) Step();
        long before = GC.GetAllocatedBytesForCurrentThread();
        Step();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        void Step()
        {
            kernels.MlaDecode(tensors.Context, args);
            kernels.MlaDecode(tensors.Context, args with { Plan = kernels.PlanDecode(tensors.Context, PlanArgs(args), memory) });
        }
    }

    [Fact]
    public void What_the_kernels_lack_is_ours_and_is_named()
    {
        using AiterCheckout aiter = AiterCheckout.Open();
        using HipGpu gpu = EmulatedGpu.Create(EmulatedGpu.Gfx942);
        using AiterAttentionKernels kernels = Create(gpu);
        AttentionSpec spec = new LatentDecodeCase(gpu, new TestRandom(1), 16, [(1, 1)]).Spec;
        foreach ((AttentionSpec asked, string provider, string reason) in ((AttentionSpec, string, string)[])[
            (spec, "aiter", "more than 8 new tokens"), (spec with { NumQoHeads = 5 }, "aiter", "more than 8 new tokens"),
            (spec with { NumQoHeads = 128 }, "aiter", "several new tokens"), (spec with { NumQoHeads = 129 }, "hip", "up to 128 heads, not 129"),
            (spec with { KvLoraRank = 256 }, "hip", "512 + 64 dims, not 256 + 64"), (spec with { QkRopeHeadDim = 32 }, "hip", "512 + 64 dims, not 512 + 32"),
            (spec with { KvDType = DType.F8E4M3Fnuz }, "hip", "AllowFp8Activations"), (spec with { SlidingWindow = 64 }, "hip", "SlidingWindow")])
        {
            KernelProvider found = kernels.ProviderOf(AiterPrimitive.MlaDecode, asked);
            Assert.Equal(provider, found.Name);
            Assert.Contains(reason, string.Join(' ', found.Reasons), StringComparison.Ordinal);
        }
    }

    private void Run(int heads, (int Context, int Query)[] rows, int maxSeqLen, bool lse, int launches)
    {
        using AiterCheckout aiter = AiterCheckout.Open();
        using HipGpu gpu = EmulatedGpu.Create(EmulatedGpu.Gfx942);
        using AiterAttentionKernels kernels = Create(gpu);
        using var tensors = new PoisonedTensors(gpu, 64 << 20);
        var random = new TestRandom(heads);
        var c = new LatentDecodeCase(gpu, random, heads, rows);
        MlaDecodeArgs args = c.Args(tensors, maxSeqLen, padded: lse, lse);
        EmulatedGpu.Instance.Set("fail", "");
        kernels.MlaDecode(tensors.Context, args);
        Assert.Equal(launches, EmulatedGpu.Instance.Calls("hipModuleLaunchKernel"));
        log.WriteLine($"seed {random.Seed}, largest error {c.Check(tensors, args, Limit, LseLimit):0.00000}");
        tensors.Verify();
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
            LatentBudgetBytes = budget,
        };
    }
}
