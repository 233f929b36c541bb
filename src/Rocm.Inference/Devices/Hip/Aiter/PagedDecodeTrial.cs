namespace Rocm.Inference.Devices.Hip.Aiter;

/// <summary>Decode over a shuffled cache.</summary>
internal sealed class PagedDecodeTrial : DecodeTrial
{
    private readonly KvCacheView _cache;
    private readonly TensorView _query, _output;

    public PagedDecodeTrial(IDevice gpu, AttentionSpec spec, int blockSize, int maxRows, int maxLength)
        : base(gpu, spec, blockSize, (long)spec.NumKvHeads * (spec.HeadDim + spec.VHeadDim) * spec.KvDType.ByteSize(), maxRows, maxLength)
    {
        int x = 16 / spec.KvDType.ByteSize();
        _cache = new KvCacheView
        {
            Layout = KvLayoutKind.Shuffled,
            BlockSize = blockSize,
            Key = Make(spec.KvDType, NumBlocks, spec.NumKvHeads, spec.HeadDim / x, blockSize, x),
            Value = Make(spec.KvDType, NumBlocks, spec.NumKvHeads, blockSize / x, spec.VHeadDim, x),
        };
        _query = Make(DType.BF16, maxRows, spec.NumQoHeads, spec.HeadDim);
        _output = Make(DType.BF16, maxRows, spec.NumQoHeads, spec.VHeadDim);
    }

    protected override KvCacheView Cache => _cache;

    public override long ScratchBytes(IAttentionKernels kernels, int rows, int length) => kernels.PagedDecodeScratchBytes(Spec, new BatchLimits(rows, rows, length));

    public override void Run(IAttentionKernels kernels, DeviceContext context, int rows, int length) => kernels.PagedDecode(context, new PagedAttentionArgs
    {
        Spec = Spec,
        Query = _query.Slice(0, 0, rows),
        Cache = _cache,
        CuSeqlensQ = Offsets(rows),
        SeqLens = Lengths(rows),
        BlockTable = Table(rows),
        NumRows = rows,
        MaxQueryLen = 1,
        MaxSeqLen = length,
        Split = KvSplit.Occupancy,
        Plan = Shared,
        Output = _output.Slice(0, 0, rows),
    });
}
