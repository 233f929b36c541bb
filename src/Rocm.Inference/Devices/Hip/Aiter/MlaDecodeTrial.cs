namespace Rocm.Inference.Devices.Hip.Aiter;

/// <summary>Absorbed decode over a latent cache.</summary>
internal sealed class MlaDecodeTrial : DecodeTrial
{
    private readonly KvCacheView _cache;
    private readonly TensorView _query, _rope, _output;

    public MlaDecodeTrial(IDevice gpu, AttentionSpec spec, int blockSize, int maxRows, int maxLength)
        : base(gpu, spec, blockSize, (long)(spec.KvLoraRank + spec.QkRopeHeadDim) * spec.KvDType.ByteSize(), maxRows, maxLength)
    {
        int dim = spec.KvLoraRank + spec.QkRopeHeadDim;
        _cache = new KvCacheView { Layout = KvLayoutKind.MlaLatent, BlockSize = blockSize, Key = Make(spec.KvDType, NumBlocks, blockSize, dim) };
        _query = Make(DType.BF16, maxRows, spec.NumQoHeads, spec.KvLoraRank);
        _rope = Make(DType.BF16, maxRows, spec.NumQoHeads, spec.QkRopeHeadDim);
        _output = Make(DType.BF16, maxRows, spec.NumQoHeads, spec.KvLoraRank);
    }

    protected override KvCacheView Cache => _cache;

    public override long ScratchBytes(IAttentionKernels kernels, int rows, int length) => kernels.MlaDecodeScratchBytes(Spec, new BatchLimits(rows, rows, length));

    public override void Run(IAttentionKernels kernels, DeviceContext context, int rows, int length) => kernels.MlaDecode(context, new MlaDecodeArgs
    {
        Spec = Spec,
        Query = _query.Slice(0, 0, rows),
        QueryRope = _rope.Slice(0, 0, rows),
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
