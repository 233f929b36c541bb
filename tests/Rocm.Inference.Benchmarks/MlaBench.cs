using Rocm.Inference.Devices;

namespace Rocm.Inference.Benchmarks;

/// <summary>Absorbed latent decode over a paged bf16 cache of 512 + 64.</summary>
internal static class MlaBench
{
    private const int Rank = 512;
    private const int Rope = 64;
    private const int BlockSize = 64;

    public static void Run(BenchOptions options)
    {
        double bandwidth = LimitsBench.ReadGigabytes(options), flops = LimitsBench.FmaGigaflops(options);
        Console.WriteLine($"latent decode, bf16 cache, {options.Threads} threads; limits: {bandwidth:F1} GB/s, {flops:F0} GFLOP/s");
        using IDevice device = options.CreateDevice();
        foreach ((int heads, int rows, int queryLen, int seqLen) in new[] { (16, 8, 1, 8192), (16, 1, 1, 8192), (128, 1, 1, 8192), (16, 8, 4, 8192), (3, 8, 1, 8192) })
        {
            using var step = new MlaStep(device, heads, rows, queryLen, seqLen);
            double gigaflops = (double)rows * queryLen * seqLen * heads * 2 * (Rank + Rope + Rank) * 1e-9, gigabytes = (double)rows * seqLen * (Rank + Rope) * 2 * 1e-9;
            double seconds = FmaShare.Print($"{heads} heads, {rows} rows of {queryLen} on {seqLen}", options, step.Run, gigaflops);
            Console.WriteLine($"  {gigabytes / seconds:F1} GB/s, {gigabytes / seconds / bandwidth:P0} of the bandwidth");
        }
    }

    private sealed class MlaStep : IDisposable
    {
        private readonly IDevice _device;
        private readonly DeviceContext _context;
        private readonly List<DeviceBuffer> _buffers = [];
        private readonly MlaDecodeArgs _args;

        public MlaStep(IDevice device, int heads, int rows, int queryLen, int seqLen)
        {
            _device = device;
            int blocks = (seqLen + BlockSize - 1) / BlockSize;
            var spec = new AttentionSpec
            {
                Kind = AttentionKind.Mla, NumQoHeads = heads, NumKvHeads = 1, HeadDim = Rank + Rope, VHeadDim = Rank, KvLoraRank = Rank, QkRopeHeadDim = Rope,
                SoftmaxScale = (float)(1 / Math.Sqrt(192)), MaxSeqLen = seqLen,
            };
            _context = device.CreateContext(device.AttentionKernels.MlaDecodeScratchBytes(spec, new BatchLimits(rows * queryLen, rows, seqLen)));
            DeviceBuffer cache = device.Allocate(2L * rows * blocks * BlockSize * (Rank + Rope));
            _buffers.Add(cache);
            TensorView latents = cache.View(DType.BF16, rows * blocks, BlockSize, Rank + Rope);
            latents.AsSpan<ushort>().Fill(0x3E00);
            _args = new MlaDecodeArgs
            {
                Spec = spec,
                Query = BenchWeights.Floats(device, _buffers, rows * queryLen, heads, Rank),
                QueryRope = BenchWeights.Floats(device, _buffers, rows * queryLen, heads, Rope),
                Cache = new KvCacheView { Layout = KvLayoutKind.MlaLatent, BlockSize = BlockSize, Key = latents },
                CuSeqlensQ = BenchWeights.Indices(device, _buffers, [.. Enumerable.Range(0, rows + 1).Select(r => r * queryLen)]),
                SeqLens = BenchWeights.Indices(device, _buffers, [.. Enumerable.Repeat(seqLen, rows)]),
                BlockTable = BenchWeights.Indices(device, _buffers, [.. Enumerable.Range(0, rows * blocks)]).Reshape(rows, blocks),
                NumRows = rows,
                MaxQueryLen = queryLen,
                MaxSeqLen = seqLen,
                Output = BenchWeights.Floats(device, _buffers, rows * queryLen, heads, Rank),
            };
        }

        public void Run() => _device.AttentionKernels.MlaDecode(_context, _args);

        public void Dispose()
        {
            foreach (DeviceBuffer buffer in _buffers) buffer.Dispose();
            _context.Dispose();
        }
    }
}
