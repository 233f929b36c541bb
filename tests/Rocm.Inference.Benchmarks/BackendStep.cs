using Rocm.Inference.Devices;

namespace Rocm.Inference.Benchmarks;

/// <summary>One layer's attention in a backend: equal rows of some new tokens on some context. Contents are constant; what is timed is Run.</summary>
internal sealed class BackendStep : IDisposable
{
    private readonly IDevice _device;
    private readonly DeviceContext _context;
    private readonly IAttentionExecutor _executor;
    private readonly List<DeviceBuffer> _buffers = [];
    private readonly List<IDisposable> _weights = [];
    private readonly AttentionInputs _inputs;
    private readonly TensorView _output;

    public BackendStep(IDevice device, IAttentionBackend backend, AttentionSpec spec, int rows, int queryLen, int seqLen, int blockSize = 0)
    {
        _device = device;
        KvCacheLayout layout = backend.GetKvCacheLayout(spec);
        int block = blockSize > 0 ? blockSize : layout.PreferredBlockSize, width = (seqLen + block - 1) / block, tokens = rows * queryLen;
        var limits = new BatchLimits(tokens, rows, seqLen);
        _context = device.CreateContext(backend.WorkspaceBytes(spec, device, limits));
        _executor = backend.CreateExecutor(spec, new AttentionResources
        {
            Device = device,
            Limits = limits,
            Layers = [new AttentionLayerResources { LayerIndex = 0, Cache = Cache(spec, layout, block, rows * width), Mla = spec.Kind == AttentionKind.Mla ? Projections(spec) : null }],
        });
        bool latent = spec.Kind == AttentionKind.Mla;
        _inputs = new AttentionInputs
        {
            Query = Floats(tokens, spec.NumQoHeads, latent ? spec.QkNopeHeadDim : spec.HeadDim),
            Key = Floats(tokens, spec.NumKvHeads, latent ? spec.KvLoraRank : spec.HeadDim),
            Value = latent ? default : Floats(tokens, spec.NumKvHeads, spec.VHeadDim),
            QueryRope = latent ? Floats(tokens, spec.NumQoHeads, spec.QkRopeHeadDim) : default,
            KeyRope = latent ? Floats(tokens, 1, spec.QkRopeHeadDim) : default,
        };
        _output = Floats(tokens, spec.NumQoHeads, spec.VHeadDim);
        ForwardBatch batch = Batch(rows, queryLen, seqLen, block, width);
        _executor.Plan(_context, batch, 0);
    }

    public void Run() => _executor.Run(_context, 0, _inputs, _output);

    public void Dispose()
    {
        _executor.Dispose();
        foreach (IDisposable weight in _weights) weight.Dispose();
        foreach (DeviceBuffer buffer in _buffers) buffer.Dispose();
        _context.Dispose();
    }

    private ForwardBatch Batch(int rows, int queryLen, int seqLen, int block, int width)
    {
        var batch = new ForwardBatch(1, rows) { NumTokens = rows * queryLen, NumRows = rows, MaxQueryLen = queryLen, MaxSeqLen = seqLen };
        int context = seqLen - queryLen;
        if (_executor.Order == BatchOrder.DecodeExtendPrefill && context > 0)
        {
            if (queryLen <= _executor.DecodeThreshold) batch.NumDecodes = rows;
            else batch.NumExtends = rows;
        }

        for (int r = 0; r <= rows; r++) batch.HostCuSeqlensQ[r] = r * queryLen;
        Array.Fill(batch.HostSeqLens, seqLen);
        batch.Positions = Indices([.. Enumerable.Range(0, rows * queryLen).Select(t => context + (t % queryLen))]);
        batch.CuSeqlensQ = Indices(batch.HostCuSeqlensQ);
        batch.SeqLens = Indices(batch.HostSeqLens);
        batch.HostGroups[0].BlockTable = Indices([.. Enumerable.Range(0, rows * width)]).Reshape(rows, width);
        DeviceBuffer slots = Buffer(rows * (long)queryLen * sizeof(long));
        batch.HostGroups[0].SlotMapping = slots.View(DType.I64, rows * (long)queryLen);
        _context.Upload<long>(
            [.. Enumerable.Range(0, rows * queryLen).Select(t => (t / queryLen * (long)width * block) + context + (t % queryLen))], batch.HostGroups[0].SlotMapping);
        return batch;
    }

    private KvCacheView Cache(AttentionSpec spec, KvCacheLayout layout, int block, int blocks)
    {
        using var storage = KvCache.Storage.KvCacheStorage.Allocate(_device, spec, block, 1, 1);
        KvCacheView one = storage.View(spec, layout.Kind, block, 0);
        return one with { Key = Grow(one.Key, blocks), Value = one.Value.IsAbsent ? default : Grow(one.Value, blocks) };
    }

    /// <summary>A cache of more blocks of the same shape, filled.</summary>
    private TensorView Grow(TensorView block, int blocks)
    {
        long elements = block.Count;
        DeviceBuffer buffer = Buffer(blocks * elements * block.DType.ByteSize());
        Span<byte> bytes = buffer.View(DType.U8, buffer.SizeBytes).AsSpan<byte>();
        bytes.Fill(0x3E);
        Span<long> shape = stackalloc long[block.Rank];
        for (int i = 0; i < shape.Length; i++) shape[i] = i == 0 ? blocks : block.Dim(i);
        return buffer.View(block.DType, shape);
    }

    private MlaProjections Projections(AttentionSpec spec)
    {
        int nope = spec.QkNopeHeadDim, value = spec.VHeadDim, rank = spec.KvLoraRank, heads = spec.NumQoHeads;
        PackedWeight all = BenchWeights.Pack(_device, heads * (nope + value), rank);
        PackedWeightGroup absorb = BenchWeights.PackGroup(_device, heads, rank, nope), project = BenchWeights.PackGroup(_device, heads, value, rank);
        _weights.AddRange([all, absorb, project]);
        return new MlaProjections(all, absorb, project);
    }

    private TensorView Floats(params ReadOnlySpan<long> shape) => BenchWeights.Floats(_device, _buffers, shape);

    private TensorView Indices(int[] values)
    {
        TensorView view = Buffer(values.Length * sizeof(int)).View(DType.I32, values.Length);
        _context.Upload<int>(values, view);
        return view;
    }

    private DeviceBuffer Buffer(long bytes)
    {
        DeviceBuffer buffer = _device.Allocate(bytes);
        _buffers.Add(buffer);
        return buffer;
    }
}
