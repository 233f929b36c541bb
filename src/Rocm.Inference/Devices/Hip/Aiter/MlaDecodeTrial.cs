namespace Rocm.Inference.Devices.Hip.Aiter;

/// <summary>Absorbed decode over a latent cache.</summary>
internal sealed class MlaDecodeTrial : AiterTrial
{
    private readonly KvCacheView _cache;
    private readonly TensorView _query, _rope, _output, _offsets, _lengths, _table;
    private readonly int _width;

    public MlaDecodeTrial(IDevice gpu, AttentionSpec spec, int blockSize, int maxRows, int maxLength)
        : base(gpu, spec)
    {
        int dim = spec.KvLoraRank + spec.QkRopeHeadDim;
        _width = (maxLength + blockSize - 1) / blockSize;
        int blocks = NumBlocks((long)maxRows * maxLength, blockSize, (long)dim * spec.KvDType.ByteSize());
        _cache = new KvCacheView { Layout = KvLayoutKind.MlaLatent, BlockSize = blockSize, Key = Make(spec.KvDType, blocks, blockSize, dim) };
        _query = Make(DType.BF16, maxRows, spec.NumQoHeads, spec.KvLoraRank);
        _rope = Make(DType.BF16, maxRows, spec.NumQoHeads, spec.QkRopeHeadDim);
        _output = Make(DType.BF16, maxRows, spec.NumQoHeads, spec.KvLoraRank);
        _offsets = Make(DType.I32, maxRows + 1);
        _lengths = Make(DType.I32, maxRows);
        _table = Make(DType.I32, (long)maxRows * _width);
        using DeviceContext context = gpu.CreateContext(0);
        context.Upload<int>([.. Enumerable.Range(0, maxRows + 1)], _offsets);
        context.Upload<int>(Table(maxRows * _width, blocks), _table);
        context.Synchronize();
    }

    public override long ScratchBytes(IAttentionKernels kernels, int rows, int length) => kernels.MlaDecodeScratchBytes(Spec, new BatchLimits(rows, rows, length));

    public override void Prepare(DeviceContext context, int rows, int length) => context.Upload<int>([.. Enumerable.Repeat(length, rows)], _lengths.Slice(0, 0, rows));

    public override void Run(IAttentionKernels kernels, DeviceContext context, int rows, int length) => kernels.MlaDecode(context, new MlaDecodeArgs
    {
        Spec = Spec,
        Query = _query.Slice(0, 0, rows),
        QueryRope = _rope.Slice(0, 0, rows),
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
