namespace Rocm.Inference.Devices.Hip.Aiter;

/// <summary>A primitive with made-up operands, to be timed: room for the largest step, of which smaller ones take a part.</summary>
/// <param name="gpu">Where the operands lie.</param>
/// <param name="spec">The layer group.</param>
internal abstract class AiterTrial(IDevice gpu, AttentionSpec spec) : IDisposable
{
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

    /// <summary>Makes what layers share before the runs of a step, which is not timed.</summary>
    /// <param name="kernels">Whose kernels run next.</param>
    /// <param name="context">Where.</param>
    /// <param name="rows">Rows of the step.</param>
    /// <param name="length">Tokens of every row's context.</param>
    public virtual void Plan(IAttentionKernels kernels, DeviceContext context, int rows, int length)
    {
    }

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
}
