namespace Rocm.Inference.Devices.Hip.Aiter;

/// <summary>A primitive with made-up operands, to be timed: room for the largest step, of which smaller ones take a part.</summary>
/// <param name="gpu">Where the operands lie.</param>
/// <param name="spec">The layer group.</param>
internal abstract class AiterTrial(IDevice gpu, AttentionSpec spec) : IDisposable
{
    // More would be a cache that no step is likely to read: the L2 and the memory-side cache hold less.
    private const long MaxCacheBytes = 512L << 20;

    private readonly List<DeviceBuffer> _buffers = [];

    protected AttentionSpec Spec => spec;

    /// <summary>Makes the operands of a primitive.</summary>
    public static AiterTrial Create(AiterPrimitive primitive, IDevice gpu, AttentionSpec spec, int blockSize, int maxRows, int maxLength) => primitive switch
    {
        AiterPrimitive.PagedDecode => new PagedDecodeTrial(gpu, spec, blockSize, maxRows, maxLength),
        AiterPrimitive.MlaDecode => new MlaDecodeTrial(gpu, spec, blockSize, maxRows, maxLength),
        _ => new FlashVarlenTrial(gpu, spec, maxLength),
    };

    /// <summary>Scratch memory of a step.</summary>
    public abstract long ScratchBytes(IAttentionKernels kernels, int rows, int length);

    /// <summary>Enqueues a step.</summary>
    /// <param name="kernels">Whose kernels.</param>
    /// <param name="context">Where.</param>
    /// <param name="rows">Rows of the step.</param>
    /// <param name="length">Tokens of every row's context.</param>
    public abstract void Run(IAttentionKernels kernels, DeviceContext context, int rows, int length);

    /// <summary>Writes the lengths of a step, before it is run.</summary>
    public abstract void Prepare(DeviceContext context, int rows, int length);

    public void Dispose()
    {
        foreach (DeviceBuffer buffer in _buffers) buffer.Dispose();
        _buffers.Clear();
    }

    /// <summary>Zeros.</summary>
    protected TensorView Make(DType dtype, params ReadOnlySpan<long> shape)
    {
        long count = 1;
        foreach (long dim in shape) count *= dim;
        DeviceBuffer buffer = gpu.Allocate(count * dtype.ByteSize());
        _buffers.Add(buffer);
        return new TensorView(buffer, 0, dtype, shape);
    }

    /// <summary>Blocks of a cache for so many tokens, of which each takes so many bytes; at least two, of which the first is the null block.</summary>
    protected static int NumBlocks(long tokens, int blockSize, long tokenBytes) =>
        (int)Math.Max(2, Math.Min(tokens / blockSize, MaxCacheBytes / (tokenBytes * blockSize)) + 1);

    /// <summary>A table whose rows go through all blocks but the null block again and again.</summary>
    protected static int[] Table(int entries, int numBlocks)
    {
        int[] table = new int[entries];
        for (int i = 0; i < entries; i++) table[i] = 1 + (i % (numBlocks - 1));
        return table;
    }
}
