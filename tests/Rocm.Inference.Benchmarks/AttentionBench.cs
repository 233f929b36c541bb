using Rocm.Inference.Devices;

namespace Rocm.Inference.Benchmarks;

/// <summary>Unified attention over a paged bf16 cache.</summary>
internal static class AttentionBench
{
    public static void Run(BenchOptions options)
    {
        double bandwidth = LimitsBench.ReadGigabytes(options), flops = LimitsBench.FmaGigaflops(options);
        Console.WriteLine($"attention, bf16 cache, {options.Threads} threads; limits: {bandwidth:F1} GB/s, {flops:F0} GFLOP/s");
        using IDevice device = options.CreateDevice();
        foreach ((int heads, int kvHeads, int dim) in new[] { (32, 4, 64), (32, 8, 128), (32, 32, 64) })
        {
            foreach ((int rows, int queryLen, int seqLen) in new[] { (1, 1, 512), (1, 1, 4096), (16, 1, 512), (1, 512, 512), (1, 128, 4096) })
            {
                using var step = new AttentionStep(device, heads, kvHeads, dim, rows, queryLen, seqLen);
                (double, double) time = options.Time(step.Run);
                double keys = rows * ((double)queryLen * (seqLen - queryLen) + (queryLen * (queryLen + 1) / 2.0));
                double gigaflops = keys * heads * dim * 4 * 1e-9, gigabytes = (double)rows * seqLen * kvHeads * dim * 4 * 1e-9;
                bool streams = gigabytes / bandwidth > gigaflops / flops;
                BenchOptions.Print($"{heads}/{kvHeads} x {dim}, {rows} rows of {queryLen} on {seqLen}", time, streams ? gigabytes : gigaflops, streams ? "GB/s" : "GFLOP/s", streams ? bandwidth : flops);
            }
        }
    }
}

/// <summary>One attention call of some equal rows.</summary>
internal sealed class AttentionStep : IDisposable
{
    private const int BlockSize = 16;
    private readonly IDevice _device;
    private readonly DeviceContext _context;
    private readonly List<DeviceBuffer> _buffers = [];
    private readonly PagedAttentionArgs _args;

    public AttentionStep(IDevice device, int heads, int kvHeads, int dim, int rows, int queryLen, int seqLen)
    {
        _device = device;
        int blocks = (seqLen + BlockSize - 1) / BlockSize;
        var spec = new AttentionSpec
        {
            NumQoHeads = heads, NumKvHeads = kvHeads, HeadDim = dim, VHeadDim = dim, SoftmaxScale = (float)(1 / Math.Sqrt(dim)), MaxSeqLen = seqLen,
        };
        _context = device.CreateContext(device.AttentionKernels.UnifiedAttentionScratchBytes(spec, new BatchLimits(rows * queryLen, rows, seqLen)));
        _args = new PagedAttentionArgs
        {
            Spec = spec,
            Query = BenchWeights.Floats(device, _buffers, rows * queryLen, heads, dim),
            Cache = Cache(device, _buffers, rows * blocks, BlockSize, kvHeads, dim),
            CuSeqlensQ = Indices([.. Enumerable.Range(0, rows + 1).Select(r => r * queryLen)]),
            SeqLens = Indices([.. Enumerable.Repeat(seqLen, rows)]),
            BlockTable = Indices([.. Enumerable.Range(0, rows * blocks)]).Reshape(rows, blocks),
            NumRows = rows,
            MaxQueryLen = queryLen,
            MaxSeqLen = seqLen,
            Output = BenchWeights.Floats(device, _buffers, rows * queryLen, heads, dim),
        };
    }

    public static KvCacheView Cache(IDevice device, List<DeviceBuffer> buffers, int blocks, int blockSize, int kvHeads, int dim)
    {
        TensorView Half()
        {
            DeviceBuffer buffer = device.Allocate(2L * blocks * blockSize * kvHeads * dim);
            buffers.Add(buffer);
            TensorView view = buffer.View(DType.BF16, blocks, blockSize, kvHeads, dim);
            view.AsSpan<ushort>().Fill(0x3E00);
            return view;
        }

        return new KvCacheView { Layout = KvLayoutKind.Nhd, BlockSize = blockSize, Key = Half(), Value = Half() };
    }

    public void Run() => _device.AttentionKernels.UnifiedAttention(_context, _args);

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
