using Rocm.Inference.Devices;

namespace Rocm.Inference.Attention.Backends;

/// <summary>
/// Latent attention of one layer group. Decode rows are absorbed: queries times W_UK, attention over the cached latents, results times W_UV. All others
/// are not: keys and values of the new tokens are projected up and attended with an LSE, then the cached context follows in chunks:
/// gather the latent rows, project up, attend, merge. Both read what the cache holds, rounded.
/// </summary>
internal sealed partial class MlaExecutor : IAttentionExecutor
{
    private readonly AttentionSpec _spec;
    private readonly AttentionSpec _expanded;
    private readonly AttentionResources _resources;
    private readonly IAttentionKernels _kernels;
    private readonly IAttentionKernels _flashKernels;
    private readonly IAttentionKernels _decodeKernels;
    private readonly MlaPrefillKernel _prefillKernel;
    private readonly KvSplit _split;
    private readonly ExtendPlan _plan;
    private readonly BatchRegion[] _decodes;
    private readonly int _maxDecodeTokens;
    private readonly int[] _offsets;
    private readonly DeviceBuffer _offsetBuffer;
    private readonly DecodePlan _decodePlan;
    private TensorView _planned;
    private ForwardBatch? _batch;
    private ForwardBatchGroup? _group;
    private int _numDecodes;
    private BatchRegion _extend;
    private BatchRegion _own;
    private int _ownOffsets;

    public MlaExecutor(
        AttentionSpec spec, AttentionResources resources, MlaPrefillKernel prefill, MlaDecodeKernel decode, ContextWorkspace workspace)
    {
        _spec = spec;
        _expanded = MlaWorkspace.Expanded(spec);
        _resources = resources;
        _kernels = resources.Device.AttentionKernels;
        _flashKernels = prefill == MlaPrefillKernel.AiterFlashVarlen ? resources.Device.AiterAttentionKernels : _kernels;
        _decodeKernels = decode == MlaDecodeKernel.AiterOccupancySplit ? resources.Device.AiterAttentionKernels : _kernels;
        _prefillKernel = prefill;
        _split = decode == MlaDecodeKernel.FixedSplit ? KvSplit.Fixed : KvSplit.Occupancy;
        DecodeThreshold = MlaWorkspace.DecodeThreshold(spec);
        _maxDecodeTokens = MlaWorkspace.DecodeTokens(spec, resources.Device, resources.Limits, workspace);
        _decodes = new BatchRegion[resources.Limits.MaxNumRows];
        _offsets = new int[2 * resources.Limits.MaxNumRows];
        _plan = new ExtendPlan(spec, resources, DecodeThreshold, workspace.Tokens(MlaWorkspace.BytesPerContextToken(spec, resources.Device)));
        try
        {
            _offsetBuffer = resources.Device.Allocate((long)_offsets.Length * sizeof(int));
            _decodePlan = new DecodePlan(resources.Device, _decodeKernels, spec, resources.Limits);
        }
        catch
        {
            _offsetBuffer?.Dispose();
            _plan.Dispose();
            throw;
        }
    }

    public BatchOrder Order => BatchOrder.DecodeExtendPrefill;

    public int DecodeThreshold { get; }

    public GraphSupport Graphs => GraphSupport.SingleToken;

    private ForwardBatch Batch => _batch ?? throw new InvalidOperationException("Run needs a Plan for the step first.");

    public void Plan(DeviceContext context, ForwardBatch batch, int group)
    {
        _batch = batch;
        _group = batch.Groups[group];
        _extend = BatchRegion.Of(batch, batch.NumDecodes, batch.NumExtends);
        _own = BatchRegion.Of(batch, batch.NumDecodes, batch.NumRows - batch.NumDecodes);
        int entries = PlanDecodes(batch);
        _ownOffsets = entries;
        if (_own.NumRows > 0) entries += Rebase(batch, _own, entries);
        if (entries > 0) context.Upload<int>(_offsets.AsSpan(0, entries), _offsetBuffer.View(DType.I32, entries));
        if (_extend.NumRows > 0) _plan.Plan(context, batch, _extend.FirstRow, _extend.NumRows);

        // More runs than one would each need a part of the memory; they are the rare steps of many tokens, whose attention takes longest.
        _planned = _numDecodes == 1 ? PlanDecode(context, _decodes[0]) : default;
    }

    public void Run(DeviceContext context, int layer, in AttentionInputs inputs, TensorView output)
    {
        AttentionLayerResources resource = _resources.Layers[layer];
        MlaProjections projections = resource.Mla
            ?? throw new InvalidOperationException($"Latent attention needs the up-projections of its layers; layer {layer} of the group has none.");
        AttentionPrimitives.StoreKeyValue(context, resource, Batch, _group!, inputs, roundsInputs: _own.NumRows > 0);
        int entry = 0;
        for (int i = 0; i < _numDecodes; i++)
        {
            ref readonly BatchRegion rows = ref _decodes[i];
            TensorView offsets = i == 0 ? rows.Offsets(Batch) : Offsets(entry, rows.NumRows);
            if (i > 0) entry += rows.NumRows + 1;
            Decode(context, resource, projections, inputs, output, rows, offsets);
        }

        if (_own.NumRows == 0) return;
        long mark = context.Mark();
        TensorView query = Own(inputs.Query), queryRope = Own(inputs.QueryRope), attended = Own(output);
        TensorView lse = _extend.NumRows == 0 ? default : context.Scratch(DType.F32, _spec.NumQoHeads, _own.NumTokens);
        AttendOwnTokens(context, projections, inputs, attended, lse);
        if (_extend.NumRows > 0 && !_plan.Chunks.IsEmpty) AddContext(context, resource, projections, query, queryRope, attended, lse);
        context.Release(mark);
    }

    public void Dispose()
    {
        _batch = null;
        _group = null;
        _plan.Dispose();
        _offsetBuffer.Dispose();
        _decodePlan.Dispose();
    }

    private TensorView PlanDecode(DeviceContext context, in BatchRegion rows) => _decodePlan.Make(context, new DecodePlanArgs
    {
        Spec = _spec,
        Cache = _resources.Layers[0].Cache,
        SeqLens = Batch.SeqLens.Slice(0, rows.FirstRow, rows.NumRows),
        BlockTable = _group!.BlockTable.Slice(0, rows.FirstRow, rows.NumRows),
        NumRows = rows.NumRows,
        MaxQueryLen = rows.MaxQueryLen,
        MaxSeqLen = rows.MaxSeqLen,
    });

    /// <summary>Cuts the decode rows into runs whose absorbed queries fit the workspace; returns how many offsets they need.</summary>
    private int PlanDecodes(ForwardBatch batch)
    {
        ReadOnlySpan<int> offsets = batch.CuSeqlensQHost;
        _numDecodes = 0;
        int first = 0, entries = 0;
        for (int r = 1; r <= batch.NumDecodes; r++)
        {
            if (r < batch.NumDecodes && offsets[r + 1] - offsets[first] <= _maxDecodeTokens) continue;
            _decodes[_numDecodes++] = BatchRegion.Of(batch, first, r - first);
            first = r;
        }

        // The first run begins at token 0 and takes the batch's own offsets: plain decoding uploads nothing.
        for (int i = 1; i < _numDecodes; i++) entries += Rebase(batch, _decodes[i], entries);
        return entries;
    }

    /// <summary>Offsets of rows counted from the first of their tokens: their operands have no room for the tokens before.</summary>
    private int Rebase(ForwardBatch batch, in BatchRegion rows, int at)
    {
        for (int r = 0; r <= rows.NumRows; r++) _offsets[at + r] = batch.CuSeqlensQHost[rows.FirstRow + r] - rows.FirstToken;
        return rows.NumRows + 1;
    }

    private void Decode(
        DeviceContext context, AttentionLayerResources resource, MlaProjections projections, in AttentionInputs inputs, TensorView output,
        in BatchRegion rows, TensorView offsets)
    {
        long mark = context.Mark();
        TensorView query = context.Scratch(output.DType, rows.NumTokens, _spec.NumQoHeads, _spec.KvLoraRank);
        TensorView latent = context.Scratch(output.DType, rows.NumTokens, _spec.NumQoHeads, _spec.KvLoraRank);
        projections.AbsorbQuery(context, inputs.Query.Slice(0, rows.FirstToken, rows.NumTokens), query);
        _decodeKernels.MlaDecode(context, new MlaDecodeArgs
        {
            Spec = _spec,
            Query = query,
            QueryRope = inputs.QueryRope.IsAbsent ? default : inputs.QueryRope.Slice(0, rows.FirstToken, rows.NumTokens),
            Cache = resource.Cache,
            CuSeqlensQ = offsets,
            SeqLens = Batch.SeqLens.Slice(0, rows.FirstRow, rows.NumRows),
            BlockTable = _group!.BlockTable.Slice(0, rows.FirstRow, rows.NumRows),
            NumRows = rows.NumRows,
            MaxQueryLen = rows.MaxQueryLen,
            MaxSeqLen = rows.MaxSeqLen,
            Split = _split,
            Plan = _planned,
            Output = latent,
        });
        projections.ProjectValue(context, latent, output.Slice(0, rows.FirstToken, rows.NumTokens));
        context.Release(mark);
    }

    /// <summary>[count + 1] of the uploaded offsets.</summary>
    private TensorView Offsets(int first, int count) => _offsetBuffer.View(DType.I32, _offsets.Length).Slice(0, first, count + 1);
}
