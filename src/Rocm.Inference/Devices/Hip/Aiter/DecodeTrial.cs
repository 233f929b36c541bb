namespace Rocm.Inference.Devices.Hip.Aiter;

/// <summary>Rows of one new token each over a paged cache: what both kinds of decode share.</summary>
internal abstract class DecodeTrial : AiterTrial
{
    // More would be a cache that no step is likely to read: the L2 and the memory-side cache hold less.
    private const long MaxCacheBytes = 512L << 20;

    private readonly TensorView _offsets, _lengths, _table;
    private readonly int _width;
    private TensorView _memory;

    /// <param name="gpu">Where the operands lie.</param>
    /// <param name="spec">The layer group.</param>
    /// <param name="blockSize">Tokens of a block.</param>
    /// <param name="tokenBytes">Bytes of the cache for a token.</param>
    /// <param name="maxRows">Rows of the largest step.</param>
    /// <param name="maxLength">Tokens of the longest context.</param>
    protected DecodeTrial(IDevice gpu, AttentionSpec spec, int blockSize, long tokenBytes, int maxRows, int maxLength)
        : base(gpu, spec)
    {
        // At least two, of which the first is the null block.
        NumBlocks = (int)Math.Max(2, Math.Min((long)maxRows * maxLength / blockSize, MaxCacheBytes / (tokenBytes * blockSize)) + 1);
        _width = (maxLength + blockSize - 1) / blockSize;
        _offsets = Make(DType.I32, maxRows + 1);
        _lengths = Make(DType.I32, maxRows);
        _table = Make(DType.I32, (long)maxRows * _width);
        using DeviceContext context = gpu.CreateContext(0);
        context.Upload<int>([.. Enumerable.Range(0, maxRows + 1)], _offsets);
        context.Upload<int>(Table(maxRows * _width, NumBlocks), _table);
        context.Synchronize();
    }

    public override void Prepare(DeviceContext context, int rows, int length) => context.Upload<int>([.. Enumerable.Repeat(length, rows)], Lengths(rows));

    public override void Plan(IAttentionKernels kernels, DeviceContext context, int rows, int length)
    {
        Shared = default;
        long bytes = kernels.DecodePlanBytes(Spec, new BatchLimits(rows, rows, length));
        if (bytes == 0) return;
        if (_memory.IsAbsent || _memory.Count < bytes) _memory = Make(DType.U8, bytes);
        Shared = kernels.PlanDecode(
            context,
            new DecodePlanArgs
            {
                Spec = Spec, Cache = Cache, SeqLens = Lengths(rows), BlockTable = Table(rows), NumRows = rows, MaxQueryLen = 1, MaxSeqLen = length,
            },
            _memory);
    }

    /// <summary>The cache that is read.</summary>
    protected abstract KvCacheView Cache { get; }

    /// <summary>What layers share, of the kernels that run next.</summary>
    protected TensorView Shared { get; private set; }

    /// <summary>Blocks of the cache.</summary>
    protected int NumBlocks { get; }

    /// <summary>[rows + 1].</summary>
    protected TensorView Offsets(int rows) => _offsets.Slice(0, 0, rows + 1);

    /// <summary>[rows].</summary>
    protected TensorView Lengths(int rows) => _lengths.Slice(0, 0, rows);

    /// <summary>[rows, blocks of the longest context].</summary>
    protected TensorView Table(int rows) => _table.Slice(0, 0, (long)rows * _width).Reshape(rows, _width);

    // Rows go through all blocks but the null block again and again.
    private static int[] Table(int entries, int numBlocks)
    {
        int[] table = new int[entries];
        for (int i = 0; i < entries; i++) table[i] = 1 + (i % (numBlocks - 1));
        return table;
    }
}
