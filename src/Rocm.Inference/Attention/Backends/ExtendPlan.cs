namespace Rocm.Inference.Attention.Backends;

/// <summary>
/// The context passes of a step's extend rows with their metadata on the device, in a buffer of fixed address and of the size of the largest step.
/// </summary>
internal sealed class ExtendPlan : IDisposable
{
    private readonly ContextChunkPlanner _planner;
    private readonly DeviceBuffer _buffer;
    private readonly int[] _contextLens;
    private readonly long _positionsOffset;
    private readonly long _contextLensOffset;
    private readonly int _window;
    private TensorView _keyOffsets;
    private TensorView _keyPositions;
    private TensorView _rowContextLens;

    public ExtendPlan(AttentionSpec spec, AttentionResources resources, int decodeThreshold, int workspaceTokens)
    {
        int rows = MostRows(resources.Limits, decodeThreshold);
        _window = spec.SlidingWindow ?? int.MaxValue;
        _contextLens = new int[rows];
        _planner = new ContextChunkPlanner(rows, VisibleContext(spec, resources.Limits), workspaceTokens, resources.Layers[0].Cache.BlockSize);
        _positionsOffset = Align((long)_planner.MaxNumOffsets * sizeof(int));
        _contextLensOffset = _positionsOffset + Align((long)_planner.MaxNumSpans * sizeof(int));
        _buffer = resources.Device.Allocate(_contextLensOffset + ((long)rows * sizeof(int)));
    }

    /// <summary>The passes of the planned step.</summary>
    public ReadOnlySpan<ContextChunk> Chunks => _planner.Chunks;

    /// <summary>Most extend rows that a step can have: each has more new tokens than a decode row.</summary>
    public static int MostRows(BatchLimits limits, int decodeThreshold) => Math.Max(1, Math.Min(limits.MaxNumRows, limits.MaxNumTokens / (decodeThreshold + 1)));

    /// <summary>Longest context that an extend row can see.</summary>
    public static int VisibleContext(AttentionSpec spec, BatchLimits limits) => Math.Max(1, Math.Min(limits.MaxSeqLen, spec.SlidingWindow ?? int.MaxValue));

    /// <summary>Plans rows [first, first + count) of a batch and uploads what the kernels need.</summary>
    public void Plan(DeviceContext context, ForwardBatch batch, int first, int count)
    {
        ReadOnlySpan<int> offsets = batch.CuSeqlensQHost, lengths = batch.SeqLensHost;
        for (int i = 0; i < count; i++) _contextLens[i] = lengths[first + i] - (offsets[first + i + 1] - offsets[first + i]);
        _planner.Plan(_contextLens.AsSpan(0, count), _window);
        if (_planner.Chunks.IsEmpty) return;
        _keyOffsets = Upload(context, 0, _planner.KeyOffsets);
        _keyPositions = Upload(context, _positionsOffset, _planner.KeyPositions);
        _rowContextLens = Upload(context, _contextLensOffset, _contextLens.AsSpan(0, count));
    }

    /// <summary>[NumRows + 1] i32: offsets of the chunk's keys in the workspace.</summary>
    public TensorView KeyOffsets(in ContextChunk chunk) => _keyOffsets.Slice(0, chunk.FirstOffset, chunk.NumRows + 1);

    /// <summary>[NumRows] i32: position of each row's first key.</summary>
    public TensorView KeyPositions(in ContextChunk chunk) => _keyPositions.Slice(0, chunk.FirstSpan, chunk.NumRows);

    /// <summary>[NumRows] i32: position of each row's first query, which is the length of its context.</summary>
    public TensorView QueryPositions(in ContextChunk chunk) => _rowContextLens.Slice(0, chunk.FirstRow, chunk.NumRows);

    public void Dispose() => _buffer.Dispose();

    private TensorView Upload(DeviceContext context, long offset, ReadOnlySpan<int> values)
    {
        var view = new TensorView(_buffer, offset, DType.I32, values.Length);
        context.Upload(values, view);
        return view;
    }

    private static long Align(long bytes) => (bytes + 63) & ~63L;
}
