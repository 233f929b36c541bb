using Rocm.Inference.Devices;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Benchmarks;

/// <summary>Attention over a paged cache: decode in every layout and type next to both floors, windows, and prefill.</summary>
internal static class AttentionBench
{
    public static readonly (string Name, KvLayoutKind Layout, bool IsPagedDecode, KvSplit Split)[] Readers =
    [
        ("Nhd unified", KvLayoutKind.Nhd, false, KvSplit.Fixed),
        ("Nhd occupancy", KvLayoutKind.Nhd, false, KvSplit.Occupancy),
        ("VectorizedX decode", KvLayoutKind.VectorizedX, true, KvSplit.Fixed),
        ("Shuffled decode", KvLayoutKind.Shuffled, true, KvSplit.Fixed),
    ];

    public static void Run(BenchOptions options)
    {
        double bandwidth = LimitsBench.ReadGigabytes(options), flops = LimitsBench.FmaGigaflops(options);
        Console.WriteLine($"attention, {options.Threads} threads; limits: {bandwidth:F1} GB/s, {flops:F0} GFLOP/s");
        using IDevice device = options.CreateDevice();
        Decode(options, device);
        Layouts(options, device);
        Windows(options, device);
        Mixed(options, device, bandwidth, flops);
    }

    /// <summary>32 query heads on 4 KV heads of 128, 8 rows of 8192 keys: the share of both floors, measured before and after each.</summary>
    private static void Decode(BenchOptions options, IDevice device)
    {
        const int Rows = 8, Keys = 8192, Heads = 32, KvHeads = 4, Dim = 128;
        Console.WriteLine($"decode, {Heads}/{KvHeads} heads of {Dim}, {Rows} rows on {Keys}:");
        foreach (DType dtype in new[] { DType.BF16, DType.F16, DType.F8E4M3Fn })
        {
            foreach ((string name, KvLayoutKind layout, bool decode, KvSplit split) in Readers)
            {
                using var step = new AttentionStep(device, new AttentionShape(Heads, KvHeads, Dim, Rows, 1, Keys) { Layout = layout, DType = dtype, IsPagedDecode = decode, Split = split });
                double before = LimitsBench.ReadGigabytes(options);
                double gigabytes = (double)Rows * Keys * KvHeads * Dim * 2 * dtype.ByteSize() * 1e-9, gigaflops = (double)Rows * Keys * Heads * Dim * 4 * 1e-9;
                double seconds = FmaShare.Print($"  {dtype} {name}", options, step.Run, gigaflops);
                double bandwidth = (before + LimitsBench.ReadGigabytes(options)) / 2;
                Console.WriteLine($"    {gigabytes / seconds:F1} GB/s, {gigabytes / seconds / bandwidth:P0} of {bandwidth:F1}");
            }
        }
    }

    /// <summary>The layouts against each other.</summary>
    private static void Layouts(BenchOptions options, IDevice device)
    {
        Console.WriteLine("decode, time of each layout over the best, bf16, on 2048 keys:");
        foreach ((int heads, int kvHeads, int dim) in new[] { (32, 4, 128), (32, 8, 64), (16, 16, 128) })
        {
            foreach (int rows in new[] { 1, 8, 64 })
            {
                AttentionStep[] steps = [.. Readers.Select(r =>
                    new AttentionStep(device, new AttentionShape(heads, kvHeads, dim, rows, 1, 2048) { Layout = r.Layout, IsPagedDecode = r.IsPagedDecode, Split = r.Split }))];

                // Each repetition times all of them, so that a slow moment of the machine hits all.
                var times = new double[steps.Length][];
                for (int i = 0; i < steps.Length; i++) times[i] = new double[options.Repetitions];
                BenchOptions once = options with { Repetitions = 1 };
                for (int r = 0; r < options.Repetitions; r++)
                {
                    for (int i = 0; i < steps.Length; i++) times[i][r] = once.Time(steps[i].Run, 0.01).Median;
                }

                double[] medians = [.. times.Select(t => t.Order().ElementAt(t.Length / 2))];
                Console.WriteLine($"  {heads}/{kvHeads} x {dim}, {rows,2} rows: " + string.Join(", ", Readers.Select((r, i) => $"{r.Name} {medians[i] * 1e3:F3} ms ({medians[i] / medians.Min():F2})")));
                foreach (AttentionStep step in steps) step.Dispose();
            }
        }
    }

    private static void Windows(BenchOptions options, IDevice device)
    {
        Console.WriteLine("decode with a window of 128, 32/4 heads of 128, 8 rows:");
        foreach ((string name, KvLayoutKind layout, bool decode, KvSplit split) in Readers)
        {
            double[] times = [.. new[] { 256, 8192 }.Select(length =>
            {
                using var step = new AttentionStep(device, new AttentionShape(32, 4, 128, 8, 1, length) { Layout = layout, IsPagedDecode = decode, Split = split, Window = 128 });
                return options.Time(step.Run).Median;
            })];
            Console.WriteLine($"  {name,-19} on 256: {times[0] * 1e6:F0} us, on 8192: {times[1] * 1e6:F0} us");
        }
    }

    private static void Mixed(BenchOptions options, IDevice device, double bandwidth, double flops)
    {
        foreach ((int heads, int kvHeads, int dim) in new[] { (32, 4, 64), (32, 8, 128), (32, 32, 64) })
        {
            foreach ((int rows, int queryLen, int seqLen) in new[] { (1, 1, 512), (1, 1, 4096), (16, 1, 512), (1, 512, 512), (1, 128, 4096) })
            {
                using var step = new AttentionStep(device, new AttentionShape(heads, kvHeads, dim, rows, queryLen, seqLen));
                (double, double) time = options.Time(step.Run);
                double keys = rows * ((double)queryLen * (seqLen - queryLen) + (queryLen * (queryLen + 1) / 2.0));
                double gigaflops = keys * heads * dim * 4 * 1e-9, gigabytes = (double)rows * seqLen * kvHeads * dim * 4 * 1e-9;
                bool streams = gigabytes / bandwidth > gigaflops / flops;
                BenchOptions.Print($"{heads}/{kvHeads} x {dim}, {rows} rows of {queryLen} on {seqLen}", time, streams ? gigabytes : gigaflops, streams ? "GB/s" : "GFLOP/s", streams ? bandwidth : flops);
            }
        }
    }
}

/// <summary>Some equal rows.</summary>
internal sealed record AttentionShape(int Heads, int KvHeads, int Dim, int Rows, int QueryLen, int SeqLen)
{
    public KvLayoutKind Layout { get; init; }

    public DType DType { get; init; } = DType.BF16;

    public bool IsPagedDecode { get; init; }

    public KvSplit Split { get; init; }

    public int? Window { get; init; }

    /// <summary>True: blocks of a sequence lie one after the other, as in a fresh pool; otherwise anywhere.</summary>
    public bool InOrder { get; init; }

    /// <summary>Blocks that all sequences share, few enough to stay in a cache; 0: every block is another one.</summary>
    public int SharedBlocks { get; init; }
}

/// <summary>One attention call of some equal rows.</summary>
internal sealed class AttentionStep : IDisposable
{
    private const int BlockSize = 16;
    private readonly IDevice _device;
    private readonly DeviceContext _context;
    private readonly List<DeviceBuffer> _buffers = [];
    private readonly PagedAttentionArgs _args;
    private readonly bool _isPagedDecode;

    public AttentionStep(IDevice device, AttentionShape shape)
    {
        (int heads, int kvHeads, int dim, int rows, int queryLen, int seqLen) = shape;
        _device = device;
        _isPagedDecode = shape.IsPagedDecode;
        int blocks = (seqLen + BlockSize - 1) / BlockSize;
        var spec = new AttentionSpec
        {
            NumQoHeads = heads, NumKvHeads = kvHeads, HeadDim = dim, VHeadDim = dim, SoftmaxScale = (float)(1 / Math.Sqrt(dim)), MaxSeqLen = seqLen,
            KvDType = shape.DType, SlidingWindow = shape.Window,
        };
        var limits = new BatchLimits(rows * queryLen, rows, seqLen);
        _context = device.CreateContext(_isPagedDecode
            ? device.AttentionKernels.PagedDecodeScratchBytes(spec, limits)
            : device.AttentionKernels.UnifiedAttentionScratchBytes(spec, limits));

        // In a pool that has been in use, blocks of a sequence are anywhere.
        int[] table = [.. Enumerable.Range(0, rows * blocks)];
        if (!shape.InOrder) new Random(1).Shuffle(table);
        if (shape.SharedBlocks > 0) table = [.. table.Select(block => block % shape.SharedBlocks)];
        _args = new PagedAttentionArgs
        {
            Spec = spec,
            Query = BenchWeights.Floats(device, _buffers, rows * queryLen, heads, dim),
            Cache = Cache(device, _buffers, rows * blocks, BlockSize, kvHeads, dim, shape.Layout, shape.DType),
            CuSeqlensQ = Indices([.. Enumerable.Range(0, rows + 1).Select(r => r * queryLen)]),
            SeqLens = Indices([.. Enumerable.Repeat(seqLen, rows)]),
            BlockTable = Indices(table).Reshape(rows, blocks),
            NumRows = rows,
            MaxQueryLen = queryLen,
            MaxSeqLen = seqLen,
            Split = shape.Split,
            Output = BenchWeights.Floats(device, _buffers, rows * queryLen, heads, dim),
        };
    }

    public static KvCacheView Cache(
        IDevice device, List<DeviceBuffer> buffers, int blocks, int blockSize, int kvHeads, int dim, KvLayoutKind layout = KvLayoutKind.Nhd, DType dtype = DType.BF16)
    {
        var shapes = new OracleCacheLayout(layout, dtype, blocks, blockSize, kvHeads, dim, dim);
        return new KvCacheView { Layout = layout, BlockSize = blockSize, Key = Fill(shapes.KeyShape), Value = Fill(shapes.ValueShape) };

        TensorView Fill(long[] shape)
        {
            DeviceBuffer buffer = device.Allocate((long)blocks * blockSize * kvHeads * dim * dtype.ByteSize());
            buffers.Add(buffer);
            buffer.View(DType.U8, buffer.SizeBytes).AsSpan<byte>().Fill(0x3C);
            return new TensorView(buffer, 0, dtype, shape);
        }
    }

    public void Run()
    {
        if (_isPagedDecode) _device.AttentionKernels.PagedDecode(_context, _args);
        else _device.AttentionKernels.UnifiedAttention(_context, _args);
    }

    public void Dispose()
    {
        foreach (DeviceBuffer buffer in _buffers) buffer.Dispose();
        _context.Dispose();
    }

    private TensorView Indices(int[] values)
    {
        DeviceBuffer buffer = _device.Allocate(values.Length * sizeof(int));
        _buffers.Add(buffer);
        TensorView view = buffer.View(DType.I32, values.Length);
        _context.Upload<int>(values, view);
        return view;
    }
}
