using Rocm.Inference.Devices;
using Rocm.Inference.Devices.Hip;
using Rocm.Inference.Devices.Hip.Aiter;
using Rocm.Inference.Devices.Hip.Attention;
using Rocm.Inference.Native.Aiter;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Hip.Tests.Aiter;

/// <summary>A device's decode over large blocks of an fp8 cache by AITER's persistent kernel, planned on the device, against attention in double precision.</summary>
[Collection(AiterCheckout.Collection)]
public sealed class AiterPagedPersistentTests(ITestOutputHelper log)
{
    private const int KvHeads = 2, Dim = 128, Vector = 16;

    // Queries and probabilities are rounded to fp8, by 2⁻⁴ of each at most.
    private const double Limit = 0.04;

    private static readonly BatchLimits _limits = new(8, 8, 2304);

    [Theory]
    [InlineData(256, 16, 0)]
    [InlineData(256, 20, 2)]
    [InlineData(1024, 16, 1)]
    public void Decode_agrees_with_the_oracle_whatever_scales_the_cache_has(int blockSize, int heads, int scales)
    {
        using AiterCheckout aiter = AiterCheckout.Open();
        using HipGpu gpu = EmulatedGpu.Create(EmulatedGpu.Gfx942);
        using AiterAttentionKernels kernels = Create(gpu);
        using var tensors = new PoisonedTensors(gpu, 64 << 20);
        var random = new TestRandom(heads + blockSize);
        int[] contexts = [1, 255, 256, 257, 1100];
        (PagedAttentionArgs args, Func<int, double[]> expected) = Case(tensors, random, contexts, blockSize, heads, scales);
        // Scales are read when a cache is met first, by the host.
        tensors.Context.Synchronize();
        kernels.PagedDecode(tensors.Context, args);
        uint[] bits = tensors.ReadBits(args.Output);
        float[] found = tensors.Read(args.Output);
        double[] errors = [.. contexts.Select((_, r) => RelativeError.Of(expected(r), found.AsSpan(r * heads * Dim, heads * Dim).ToArray()))];
        log.WriteLine($"seed {random.Seed}, errors {string.Join(' ', errors.Select(error => error.ToString("0.0000", null)))}");
        Assert.All(errors, error => Assert.InRange(error, 0, Limit));
        Assert.DoesNotContain(gpu.Library.LoadedUnits, unit => unit.File == "attention/paged_attention.hip");

        // Layers share the plan: the block table is not read again.
        TensorView plan = Plan(kernels, tensors, args);
        EmulatedGpu.Instance.Set("fail", "");
        kernels.PagedDecode(tensors.Context, args with { Plan = plan, BlockTable = tensors.I32(new int[contexts.Length], contexts.Length, 1) });
        Assert.Equal(2, EmulatedGpu.Instance.Calls("hipModuleLaunchKernel"));
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
        (PagedAttentionArgs args, _) = Case(tensors, new TestRandom(5), [600, 1030], 256, 16, 1);
        PagedAttentionArgs eager = args with { SeqLens = tensors.I32([600, 1030], 2), Output = tensors.PoisonActivations(2, 16, Dim) };
        TensorView memory = Plan(kernels, tensors, args);
        tensors.Context.Synchronize();
        kernels.PagedDecode(tensors.Context, args with { Plan = memory });
        using IRecordedWork recorded = tensors.Context.Record((kernels, tensors.Context, args, memory), static work =>
        {
            TensorView plan = work.kernels.PlanDecode(work.Context, PlanArgs(work.args), work.memory);
            work.kernels.PagedDecode(work.Context, work.args with { Plan = plan });
        });
        foreach (int[] lengths in (int[][])[[255, 511], [256, 512], [257, 513], [600, 1030], [1, 2]])
        {
            tensors.Context.Upload<int>(lengths, args.SeqLens);
            tensors.Context.Upload<int>(lengths, eager.SeqLens);
            kernels.PagedDecode(tensors.Context, eager);
            tensors.Context.Replay(recorded, 0, static _ => { });
            Assert.Equal(tensors.ReadBits(eager.Output), tensors.ReadBits(args.Output));
        }
    }

    [Fact]
    public void A_decode_whose_like_has_run_before_allocates_nothing()
    {
        using AiterCheckout aiter = AiterCheckout.Open();
        using HipGpu gpu = EmulatedGpu.Create(EmulatedGpu.Gfx942);
        using AiterAttentionKernels kernels = Create(gpu);
        using var tensors = new PoisonedTensors(gpu, 64 << 20);
        (PagedAttentionArgs args, _) = Case(tensors, new TestRandom(6), [20], 256, 16, 0);
        TensorView memory = tensors.Poison(DType.U8, kernels.DecodePlanBytes(args.Spec, _limits));
        for (int i = 0; i < 3; i++) Step();
        long before = GC.GetAllocatedBytesForCurrentThread();
        Step();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        void Step() => kernels.PagedDecode(tensors.Context, args with { Plan = kernels.PlanDecode(tensors.Context, PlanArgs(args), memory) });
    }

    [Fact]
    public void What_it_does_not_take_is_ours_and_the_phase_tells_of_blocks()
    {
        using AiterCheckout aiter = AiterCheckout.Open();
        using HipGpu gpu = EmulatedGpu.Create(EmulatedGpu.Gfx942);
        using AiterAttentionKernels always = Create(gpu), byShape = Create(gpu, AiterKernelChoice.ByShape), not = Create(gpu, allowFp8Activations: false);
        using var tensors = new PoisonedTensors(gpu, 64 << 20);
        (PagedAttentionArgs args, _) = Case(tensors, new TestRandom(7), [20], 256, 16, 0);
        foreach ((AiterAttentionKernels kernels, PagedAttentionArgs asked) in ((AiterAttentionKernels, PagedAttentionArgs)[])[
            (byShape, args), (not, args), (always, args with { MaxQueryLen = 2 }), (always, args with { Spec = args.Spec with { SlidingWindow = 64 } })])
            Assert.True(kernels.PlanDecode(tensors.Context, PlanArgs(asked), tensors.Poison(DType.U8, 1 << 20)).IsAbsent);
        Assert.False(always.PlanDecode(tensors.Context, PlanArgs(args), tensors.Poison(DType.U8, 1 << 20)).IsAbsent);
        Assert.Contains(
            "Rows of one token over blocks of 256 and 1024 tokens are AITER's persistent kernel's.", always.ProviderOf(AiterPrimitive.PagedDecode, args.Spec).Reasons);
        Assert.Contains(
            byShape.ProviderOf(AiterPrimitive.PagedDecode, args.Spec).Reasons, reason => reason.StartsWith("Blocks of 256 and 1024 tokens are left", StringComparison.Ordinal));

        // Without the objects of one kind nothing is said of their blocks.
        using var partial = new PartialAiter(aiter.Library.Kernels, "pa", row => !row.Contains("blk256", StringComparison.Ordinal));
        using var fewer = new AiterAttentionKernels(
            (HipAttentionKernels)gpu.AttentionKernels, AiterKernelLibrary.Open(gpu.Native, partial.Find(), false, out _), "", allowFp8Activations: true);
        Assert.Contains("Rows of one token over blocks of 1024 tokens are AITER's persistent kernel's.", fewer.ProviderOf(AiterPrimitive.PagedDecode, args.Spec).Reasons);
        Assert.True(fewer.PlanDecode(tensors.Context, PlanArgs(args), tensors.Poison(DType.U8, 1 << 20)).IsAbsent);
    }

    private static TensorView Plan(AiterAttentionKernels kernels, PoisonedTensors tensors, in PagedAttentionArgs args) =>
        kernels.PlanDecode(tensors.Context, PlanArgs(args), tensors.Poison(DType.U8, kernels.DecodePlanBytes(args.Spec, _limits)));

    private static DecodePlanArgs PlanArgs(in PagedAttentionArgs args) => new()
    {
        Spec = args.Spec, Cache = args.Cache, SeqLens = args.SeqLens, BlockTable = args.BlockTable, NumRows = args.NumRows, MaxQueryLen = args.MaxQueryLen,
        MaxSeqLen = args.MaxSeqLen,
    };

    /// <summary>Rows over a random cache, and what attention must give for each.</summary>
    private static (PagedAttentionArgs Args, Func<int, double[]> Expected) Case(PoisonedTensors tensors, TestRandom random, int[] contexts, int blockSize, int heads, int scales)
    {
        var spec = new AttentionSpec
        {
            NumQoHeads = heads, NumKvHeads = KvHeads, HeadDim = Dim, VHeadDim = Dim, SoftmaxScale = 0.07f, DType = DType.BF16, KvDType = DType.F8E4M3Fnuz,
            HasKvScales = scales > 0, MaxSeqLen = 2304,
        };
        int width = contexts.Max(context => (context + blockSize - 1) / blockSize), numBlocks = 1 + contexts.Sum(context => (context + blockSize - 1) / blockSize);
        int[] free = [.. Enumerable.Range(1, numBlocks - 1).OrderBy(_ => random.Next(0, int.MaxValue))];
        int[] table = new int[contexts.Length * width];
        for (int r = 0, next = 0; r < contexts.Length; r++)
            for (int b = 0; b * blockSize < contexts[r]; b++) table[(r * width) + b] = free[next++];
        int headElements = blockSize * Dim;
        float[] keys = random.Floats((long)numBlocks * KvHeads * headElements), values = random.Floats((long)numBlocks * KvHeads * headElements);
        float[] keyScales = [0.5f, 1.5f], valueScales = [0.7f, 2f];
        float[] queries = tensors.Draw(random, contexts.Length * heads * Dim);
        var args = new PagedAttentionArgs
        {
            Spec = spec, NumRows = contexts.Length, MaxQueryLen = 1, MaxSeqLen = 2304,
            Cache = new KvCacheView
            {
                Layout = KvLayoutKind.Shuffled, BlockSize = blockSize,
                Key = tensors.Of(DType.F8E4M3Fnuz, keys, numBlocks, KvHeads, Dim / Vector, blockSize, Vector),
                Value = tensors.Of(DType.F8E4M3Fnuz, values, numBlocks, KvHeads, blockSize / Vector, Dim, Vector),
                KeyScales = scales == 0 ? default : tensors.F32(keyScales[..scales], scales),
                ValueScales = scales == 0 ? default : tensors.F32(valueScales[..scales], scales),
            },
            Query = tensors.Activations(queries, contexts.Length, heads, Dim),
            CuSeqlensQ = tensors.I32([.. Enumerable.Range(0, contexts.Length + 1)], contexts.Length + 1),
            SeqLens = tensors.I32(contexts, contexts.Length),
            BlockTable = tensors.I32(table, contexts.Length, width),
            Output = tensors.PoisonActivations(contexts.Length, heads, Dim),
        };
        var oracle = new OracleAttention { NumQoHeads = heads, NumKvHeads = KvHeads, HeadDim = Dim, VHeadDim = Dim, Scale = spec.SoftmaxScale };
        return (args, row => oracle.Attend(
            queries.AsSpan(row * heads * Dim, heads * Dim), contexts[row] - 1, Exact(row, keys, keyScales, KeyOffset), Exact(row, values, valueScales, ValueOffset)));

        double[] Exact(int row, float[] stored, float[] ofHeads, Func<int, int, int> offsetOf)
        {
            var exact = new double[contexts[row] * KvHeads * Dim];
            for (int i = 0; i < exact.Length; i++)
            {
                int position = i / (KvHeads * Dim), head = i / Dim % KvHeads, block = table[(row * width) + (position / blockSize)];
                float value = stored[(((block * KvHeads) + head) * headElements) + offsetOf(position % blockSize, i % Dim)];
                exact[i] = OracleNumbers.Decode(DType.F8E4M3Fnuz, OracleNumbers.Encode(DType.F8E4M3Fnuz, value)) * (scales == 0 ? 1 : ofHeads[head % scales]);
            }

            return exact;
        }

        int KeyOffset(int slot, int d) => (((d / Vector * blockSize) + slot) * Vector) + (d % Vector);

        int ValueOffset(int slot, int d) => (((slot / Vector * Dim) + d) * Vector) + (slot % Vector);
    }

    private static AiterAttentionKernels Create(HipGpu gpu, AiterKernelChoice choice = AiterKernelChoice.Always, bool allowFp8Activations = true)
    {
        AiterInstallation installation = AiterInstallation.Locate(AiterSearch.FromEnvironment(null)).Installation!;
        return new AiterAttentionKernels(
            (HipAttentionKernels)gpu.AttentionKernels, AiterKernelLibrary.Open(gpu.Native, installation, false, out _), "", allowFp8Activations)
        {
            Choice = choice,
        };
    }
}
