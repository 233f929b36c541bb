using Rocm.Inference.Devices;

namespace Rocm.Inference.Benchmarks;

/// <summary>FlashVarlen and FlashVarlenPacked, causal. Only products of visible keys count as work.</summary>
internal static class FlashBench
{
    public static void Run(BenchOptions options)
    {
        double bandwidth = LimitsBench.ReadGigabytes(options), flops = LimitsBench.FmaGigaflops(options);
        Console.WriteLine($"flash attention, f32, {options.Threads} threads; limits: {bandwidth:F1} GB/s, {flops:F0} GFLOP/s");
        using IDevice device = options.CreateDevice();
        foreach ((int heads, int kvHeads, int dim, int rope, int valueDim, int length) in new[]
        {
            (8, 8, 128, 0, 128, 2048), (32, 8, 128, 0, 128, 2048), (8, 8, 128, 64, 128, 2048), (16, 16, 128, 64, 128, 512),
        })
        {
            using var step = new FlashStep(device, heads, kvHeads, dim, rope, valueDim, length);
            double gigaflops = length * (length + 1.0) / 2 * heads * 2 * (dim + rope + valueDim) * 1e-9;
            double gigabytes = 4.0 * length * ((heads * (dim + rope + valueDim)) + (kvHeads * (dim + valueDim)) + rope + (heads * valueDim)) * 1e-9;
            double flash = FmaShare.Print($"{heads}/{kvHeads} x {dim + rope}/{valueDim}, {length} causal", options, () => step.Run(packed: false), gigaflops);
            double packed = FmaShare.Print("  packed", options, () => step.Run(packed: true), gigaflops);
            Console.WriteLine($"  packed takes {packed / flash:F2} of the time; {gigabytes / flash:F2} GB/s, {gigabytes / flash / bandwidth:P0} of the bandwidth");
        }
    }

    /// <summary>One row that attends to itself.</summary>
    private sealed class FlashStep : IDisposable
    {
        private readonly IDevice _device;
        private readonly DeviceContext _context;
        private readonly List<DeviceBuffer> _buffers = [];
        private readonly FlashVarlenArgs _args;

        public FlashStep(IDevice device, int heads, int kvHeads, int dim, int rope, int valueDim, int length)
        {
            _device = device;
            var spec = new AttentionSpec
            {
                NumQoHeads = heads, NumKvHeads = kvHeads, HeadDim = dim + rope, VHeadDim = valueDim, SoftmaxScale = (float)(1 / Math.Sqrt(dim + rope)), MaxSeqLen = length,
            };
            _context = device.CreateContext(device.AttentionKernels.FlashVarlenScratchBytes(spec, new BatchLimits(length, 1, length), length));
            TensorView keyValue = BenchWeights.Floats(device, _buffers, length, kvHeads, dim + valueDim);
            TensorView offsets = BenchWeights.Indices(device, _buffers, [0, length]);
            _args = new FlashVarlenArgs
            {
                Spec = spec,
                Query = BenchWeights.Floats(device, _buffers, length, heads, dim),
                QueryRope = rope == 0 ? default : BenchWeights.Floats(device, _buffers, length, heads, rope),
                Key = keyValue.Slice(2, 0, dim),
                KeyRope = rope == 0 ? default : BenchWeights.Floats(device, _buffers, length, 1, rope),
                Value = keyValue.Slice(2, dim, valueDim),
                CuSeqlensQ = offsets,
                CuSeqlensK = offsets,
                NumRows = 1,
                MaxQueryLen = length,
                MaxKeyLen = length,
                Causal = true,
                Output = BenchWeights.Floats(device, _buffers, length, heads, valueDim),
            };
        }

        public void Run(bool packed)
        {
            if (packed) _device.AttentionKernels.FlashVarlenPacked(_context, _args);
            else _device.AttentionKernels.FlashVarlen(_context, _args);
        }

        public void Dispose()
        {
            foreach (DeviceBuffer buffer in _buffers) buffer.Dispose();
            _context.Dispose();
        }
    }
}
