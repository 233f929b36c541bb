namespace Rocm.Inference.Devices.Hip.Aiter;

/// <summary>Decode over a shuffled cache.</summary>
internal sealed class PagedDecodeTrial : AiterTrial
{
    private readonly KvCacheView _cache;
    private readonly TensorView _query, _output, _offsets, _lengths, _table;
    private readonly int _width;

    public PagedDecodeTrial(IDevice gpu, AttentionSpec spec, int blockSize, int maxRows, int maxLength)
        : base(gpu, spec)
    {
        int x = 16 / spec.KvDType.ByteSize();
        _width = (maxLength + blockSize - 1) / blockSize;
        int blocks = NumBlocks((long)maxRows * maxLength, blockSize, (long)spec.NumKvHeads * (spec.HeadDim + spec.VHeadDim) * spec.KvDType.ByteSize());
        _cache = new KvCacheView
        {
            Layout = KvLayoutKind.Shuffled,
            BlockSize = blockSize,
            Key = Make(spec.KvDType, blocks, spec.NumKvHeads, spec.HeadDim / x, blockSize, x),
            Value = Make(spec.KvDType, blocks, spec.NumKvHeads, blockSize / x, spec.VHeadDim, x),
        };
        _query = Make(DType.BF16, maxRows, spec.NumQoHeads, spec.HeadDim);
        _output = Make(DType.BF16, maxRows, spec.NumQoHeads, spec.VHeadDim);
        _offsets = Make(DType.I32, maxRows + 1);
        _lengths = Make(DType.I32, maxRows);
        _table = Make(DType.I32, (long)maxRows * _width);
        using DeviceContext context = gpu.CreateContext(0);
        context.Upload<int>([.. Enumerable.Range(0, maxRows + 1)], _offsets);
        context.Upload<int>(Table(maxRows * _width, blocks), _table);
        context.Synchronize();
    }

    public override long ScratchBytes(IAttentionKernels kernels, int rows, int length) => kernels.PagedDecodeScratchBytes(Spec, new BatchLimits(rows, rows, length));

    public override void Prepare(DeviceContext context, int rows, int length) => context.Upload<int>([.. Enumerable.Repeat(length, rows)], _lengths.Slice(0, 0, rows));

    public override void Run(IAttentionKernels kernels, DeviceContext context, int rows, int length) => kernels.PagedDecode(context, new PagedAttentionArgs
    {
        Spec = Spec,
        Query = _query.Slice(0, 0, rows),
        Cache = _cache,
        CuSeqlensQ = _offsets.Slice(0, 0, rows + 1),
        SeqLens = _lengths.Slice(0, 0, rows),
        BlockTable = _table.Slice(0, 0, (long)rows * _width).Reshape(rows, _width),
        NumRows = rows,
        MaxQueryLen = 1,
        MaxSeqLen = length,
        Split = KvSplit.Occupancy,
        Output = _output.Slice(0, 0, rows),
    });
}
