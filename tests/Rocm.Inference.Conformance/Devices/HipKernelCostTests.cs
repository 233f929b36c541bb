using Rocm.Inference.Devices;
using Rocm.Inference.Devices.Hip;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Kernels;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Conformance.Devices;

/// <summary>Nothing else runs beside: the emulator counts for the process.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class EmulatorCounters
{
    public const string Name = "Counters of the emulator";
}

/// <summary>What kernels read, counted by the emulator, and that none of them keeps registers in memory.</summary>
[Collection(EmulatorCounters.Name)]
public sealed class HipKernelCostTests
{
    private const int LinesRead = 3;
    private const int LineBytes = 64;

    public static TheoryData<string> Targets => [EmulatedGpu.Gfx942, EmulatedGpu.Gfx1100];

    [Theory]
    [MemberData(nameof(Targets))]
    public void A_product_of_few_rows_reads_little_more_than_its_weights(string target)
    {
        const int N = 520, K = 1536;
        using IDevice device = HipDevices.Create(target);
        var random = new TestRandom(81);
        using var plain = new WeightFixture(random, DType.BF16, N, K);
        using var eight = new ScaledWeightFixture(random, DType.F8E4M3Fn, DType.F32, N, K);
        using var four = new ScaledWeightFixture(random, DType.F4E2M1, DType.U8, N, K);
        foreach (WeightMatrix matrix in new[] { plain.Matrix, eight.Matrix, four.Matrix })
        {
            foreach (int rows in new[] { 1, 7, 16 })
            {
                using var tensors = new PoisonedTensors(device);
                using PackedWeight packed = device.Pack(new WeightSource(new[] { matrix }));
                TensorView x = tensors.Activations(tensors.Draw(random, rows * K), rows, K), y = tensors.PoisonActivations(rows, N);
                ulong lines = Count(() => device.Kernels.Linear(tensors.Context, x, packed, y), tensors.Context);

                // Results are written, not read.
                double floor = (packed.SizeBytes + (rows * K * 2)) / (double)LineBytes;
                TestContext.Current.TestOutputHelper?.WriteLine($"{target}, {matrix.DType}, {rows} rows: {lines} lines read, {lines / floor:F3} of the floor");
                Assert.InRange(lines, floor * 0.98, floor * 1.1);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void Weights_of_experts_without_tokens_are_not_read(string target)
    {
        const int E = 8, N = 64, K = 512, Rows = 6;
        using IDevice device = HipDevices.Create(target);
        var random = new TestRandom(82);
        using var group = new GroupFixture(random, DType.BF16, E, N, K);
        using PackedWeightGroup packed = group.Pack(device);
        using var tensors = new PoisonedTensors(device);
        TensorView x = tensors.Activations(tensors.Draw(random, Rows * K), Rows, K), y = tensors.PoisonActivations(Rows, N);
        TensorView offsets = tensors.I32([0, 0, 0, 2, 2, 2, 6, 6, 6], E + 1);
        ulong lines = Count(() => device.Kernels.GroupedLinear(tensors.Context, x, packed, offsets, default, 1, y), tensors.Context);
        double floor = ((2 * N * K * 2) + (Rows * K * 2)) / (double)LineBytes;
        Assert.InRange(lines, floor, floor * 1.1);
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void Decode_over_latents_reads_each_cached_row_once(string target)
    {
        // 16 heads of one token are the columns of one group. Two segments, whose partial results are read again, and one.
        const int Heads = 16, Rank = 512, Rope = 64, Block = 16;
        using IDevice device = HipDevices.Create(target);
        var random = new TestRandom(83);
        using var tensors = new PoisonedTensors(device, 8 << 20);
        TensorView query = tensors.Activations(tensors.Draw(random, Heads * Rank), 1, Heads, Rank), queryRope = tensors.Activations(tensors.Draw(random, Heads * Rope), 1, Heads, Rope);
        foreach ((DType dtype, int length) in new[] { (DType.BF16, 1024), (DType.F8E4M3Fn, 512) })
        {
            uint[] rows = [.. random.Floats(length * (Rank + Rope)).Select(value => OracleNumbers.Encode(dtype, value))];
            var args = new MlaDecodeArgs
            {
                Spec = new AttentionSpec
                {
                    Kind = AttentionKind.Mla, NumQoHeads = Heads, NumKvHeads = 1, HeadDim = Rank + Rope, VHeadDim = Rank, KvLoraRank = Rank, QkRopeHeadDim = Rope, QkNopeHeadDim = 128,
                    SoftmaxScale = 0.1f, KvDType = dtype, MaxSeqLen = length,
                },
                Query = query,
                QueryRope = queryRope,
                Cache = new KvCacheView { Layout = KvLayoutKind.MlaLatent, BlockSize = Block, Key = tensors.Bits(dtype, rows, length / Block, Block, Rank + Rope) },
                CuSeqlensQ = tensors.I32([0, 1], 2),
                SeqLens = tensors.I32([length], 1),
                BlockTable = tensors.I32([.. Enumerable.Range(0, length / Block).Reverse()], 1, length / Block),
                NumRows = 1,
                MaxQueryLen = 1,
                MaxSeqLen = length,
                Output = tensors.PoisonActivations(1, Heads, Rank),
            };
            ulong lines = Count(() => device.AttentionKernels.MlaDecode(tensors.Context, args), tensors.Context);
            double floor = ((length * (Rank + Rope) * (long)dtype.ByteSize()) + (Heads * (Rank + Rope) * 2)) / (double)LineBytes;
            TestContext.Current.TestOutputHelper?.WriteLine($"{target}, {dtype}: {lines} lines read, {lines / floor:F3} of the floor");
            Assert.InRange(lines, floor * 0.98, floor * 1.1);
        }
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void Decode_over_pages_reads_each_cached_element_once(string target)
    {
        // 8 heads share what is read of a KV head. Three spans of keys, whose partial results are written and read again, and one.
        const int KvHeads = 2, Heads = 16, Dim = 128, Block = 16;
        using IDevice device = HipDevices.Create(target);
        var random = new TestRandom(84);
        foreach ((KvLayoutKind kind, DType dtype, int length) in new[]
        {
            (KvLayoutKind.Nhd, DType.BF16, 1040), (KvLayoutKind.Nhd, DType.F8E4M3Fn, 500), (KvLayoutKind.VectorizedX, DType.BF16, 500), (KvLayoutKind.Shuffled, DType.BF16, 1040),
        })
        {
            using var tensors = new PoisonedTensors(device, 8 << 20);
            int blocks = (length + Block - 1) / Block;
            var layout = new OracleCacheLayout(kind, dtype, blocks, Block, KvHeads, Dim, Dim);
            uint[] key = layout.Poisoned(layout.KeyShape), value = layout.Poisoned(layout.ValueShape);
            foreach (uint[] elements in new[] { key, value })
            {
                float[] drawn = random.Floats(elements.Length);
                for (int i = 0; i < drawn.Length; i++) elements[i] = OracleNumbers.Encode(dtype, drawn[i]);
            }

            var args = new PagedAttentionArgs
            {
                Spec = new AttentionSpec { NumQoHeads = Heads, NumKvHeads = KvHeads, HeadDim = Dim, VHeadDim = Dim, SoftmaxScale = 0.1f, KvDType = dtype, DType = device.ActivationDType, MaxSeqLen = length },
                Query = tensors.Activations(tensors.Draw(random, Heads * Dim), 1, Heads, Dim),
                Cache = layout.Upload(tensors, key, value),
                CuSeqlensQ = tensors.I32([0, 1], 2),
                SeqLens = tensors.I32([length], 1),
                BlockTable = tensors.I32([.. Enumerable.Range(0, blocks).Reverse()], 1, blocks),
                NumRows = 1,
                MaxQueryLen = 1,
                MaxSeqLen = length,
                Output = tensors.PoisonActivations(1, Heads, Dim),
            };
            ulong lines = Count(() => device.AttentionKernels.PagedDecode(tensors.Context, args), tensors.Context);
            double floor = ((2L * length * KvHeads * Dim * dtype.ByteSize()) + (Heads * Dim * 2)) / (double)LineBytes;
            TestContext.Current.TestOutputHelper?.WriteLine($"{target}, {kind} {dtype}, {length} keys: {lines} lines read, {lines / floor:F3} of the floor");
            Assert.InRange(lines, floor * 0.98, floor * 1.1);
        }
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void No_kernel_keeps_registers_in_memory(string target)
    {
        using var device = (HipGpu)HipDevices.Create(target);
        (string File, string[] Macros, string[] Kernels)[] units =
        [
            ("dense/elementwise.hip", ["T=BF16", "T=F32"], ["add", "scale", "soft_cap", "gated_activation", "gate_rows", "gather_rows"]),
            ("dense/linear_skinny.hip", ["T=BF16 WEIGHT=16", "T=BF16 WEIGHT=8", "T=BF16 WEIGHT=8Shuffled", "T=BF16 WEIGHT=4"], ["linear_skinny"]),
            ("dense/linear_tiled.hip", ["T=BF16 WEIGHT=16", "T=BF16 WEIGHT=8", "T=BF16 WEIGHT=8Shuffled", "T=BF16 WEIGHT=4"], ["linear_tiled"]),
            ("dense/quantize_rows.hip", ["T=BF16"], ["quantize_rows"]),
            ("moe/route_experts.hip", ["T=F32"], ["route_experts"]),
            ("moe/sort_by_expert.hip", [""], ["sort_by_expert"]),
            ("moe/combine_experts.hip", ["T=BF16 V=8"], ["combine_experts"]),
            ("moe/tile_experts.hip", [""], ["tile_experts"]),
            ("sampling/sample.hip", [""], ["sample"]),
            ("attention/paged_attention.hip", [.. PagedShapes(target)], ["paged_attention", "reduce_units"]),
            ("attention/flash_varlen.hip", [.. FlashShapes(target)], ["flash_varlen"]),
            ("attention/flash_varlen_packed.hip", [.. FlashShapes(target)], ["flash_varlen_packed"]),
            ("attention/mla_decode.hip", [.. LatentShapes(target)], ["mla_decode", "mla_reduce"]),
        ];
        foreach ((string file, string[] instances, string[] kernels) in units)
        {
            foreach (string macros in instances)
            {
                foreach (string kernel in kernels)
                {
                    HipFunction function = device.Library.Get(new KernelUnit(file, macros), kernel, 0);
                    Assert.True(function.ScratchBytesPerThread == 0, $"{kernel} of {file} ({macros}) keeps {function.ScratchBytesPerThread} bytes a thread in memory");
                }
            }
        }
    }

    /// <summary>Heads of 64 and 128 dims, of 256, whose V takes a wave of 32 two slices, and of MLA.</summary>
    private static IEnumerable<string> FlashShapes(string target) =>
        ["T=BF16 DIM=64 ROPE=0 VDIM=64", "T=BF16 DIM=128 ROPE=0 VDIM=128", $"T=BF16 DIM=256 ROPE=0 VDIM={(target == EmulatedGpu.Gfx942 ? 256 : 128)}", "T=BF16 DIM=192 ROPE=64 VDIM=128"];

    /// <summary>The shapes that keep most: by tokens and by dims, in 16 and in 8 bits, and two tiles of columns where registers allow for them.</summary>
    private static IEnumerable<string> PagedShapes(string target) =>
    [
        "T=BF16 CACHE=-1 LAYOUT=0 BLOCK=16 DIM=128 VDIM=128 COLUMNS=1", "T=BF16 CACHE=0 LAYOUT=0 BLOCK=16 DIM=128 VDIM=128 COLUMNS=1",
        "T=BF16 CACHE=-1 LAYOUT=1 BLOCK=16 DIM=128 VDIM=128 COLUMNS=1", "T=BF16 CACHE=0 LAYOUT=2 BLOCK=16 DIM=128 VDIM=128 COLUMNS=1",
        $"T=BF16 CACHE=-1 LAYOUT=0 BLOCK=16 DIM={(target == EmulatedGpu.Gfx942 ? "128 VDIM=128" : "64 VDIM=64")} COLUMNS=2",
    ];

    /// <summary>Rows of 576 dims in 16 and in 8 bits, for 16 columns and where registers allow for 64.</summary>
    private static IEnumerable<string> LatentShapes(string target) =>
        from columns in target == EmulatedGpu.Gfx942 ? new[] { 1, 4 } : [1]
        from cache in new[] { -1, 0 }
        select $"T=BF16 CACHE={cache} DIM=576 VDIM=512 COLUMNS={columns}";

    private static ulong Count(Action launch, DeviceContext context)
    {
        // Once before, so that the kernel is compiled and the uploads are done.
        launch();
        context.Synchronize();
        EmulatedGpu gpu = EmulatedGpu.Instance;
        gpu.Set("lines", "1");
        try
        {
            ulong before = gpu.Counters()[LinesRead];
            launch();
            context.Synchronize();
            return gpu.Counters()[LinesRead] - before;
        }
        finally
        {
            gpu.Set("lines", "0");
        }
    }
}
