using Rocm.Inference.Devices;

namespace Rocm.Inference.Attention.Backends;

/// <summary>
/// Decode rows: the paged kernel. Prefill rows: flash attention over the step's own K and V. Extend rows: the same with an LSE, then for each chunk
/// of their cached context a gather, flash attention of the new tokens over it, and a merge. The suffix comes first and has the
/// sinks; the chunks follow in the order of their positions and have none.
/// </summary>
internal sealed class ThreePathExecutor : MhaExecutor
{
    // Most new tokens of a decode row. A paged row reads its context once for all of its tokens; an extend row reads, writes and reads it again, widened
    // to fp32, so that the tokens of speculative verification are cheaper decoded (measured on the CPU: 10 tokens on 4096 take 2.3 ms decoded, 6.6 extended).
    private const int MaxDecodeTokens = 16;

    // A context pass has no sinks: the suffix has counted them.
    private readonly AttentionSpec _contextSpec;
    private readonly ExtendPlan _plan;
    private readonly DecodePlan _decodePlan;
    private readonly KvCacheView _firstCache;
    private TensorView _planned;
    private BatchRegion _decode;
    private BatchRegion _extend;
    private BatchRegion _prefill;

    public ThreePathExecutor(AttentionSpec spec, AttentionResources resources, ContextWorkspace workspace)
        : base(spec, resources, resources.Device.AiterAttentionKernels)
    {
        _contextSpec = spec with { HasSinks = false };
        _firstCache = resources.Layers[0].Cache;
        _plan = new ExtendPlan(spec, resources, MaxDecodeTokens, workspace.Tokens(BytesPerContextToken(spec, resources.Device)));
        try
        {
            _decodePlan = new DecodePlan(resources.Device, Kernels, spec, resources.Limits);
        }
        catch
        {
            _plan.Dispose();
            throw;
        }
    }

    public override BatchOrder Order => BatchOrder.DecodeExtendPrefill;

    public override int DecodeThreshold => MaxDecodeTokens;

    public override GraphSupport Graphs => GraphSupport.SingleToken;

    protected override bool ReadsInputs => _extend.NumRows + _prefill.NumRows > 0;

    /// <summary>Scratch of the largest step: the larger of decoding and of the extend rows' buffers.</summary>
    public static long WorkspaceBytes(AttentionSpec spec, IDevice device, BatchLimits limits, ContextWorkspace workspace)
    {
        long perToken = BytesPerContextToken(spec, device);
        int gathered = workspace.MostTokens(perToken, ExtendPlan.MostRows(limits, MaxDecodeTokens), ExtendPlan.VisibleContext(spec, limits));
        long decode = device.AiterAttentionKernels.PagedDecodeScratchBytes(spec, limits);
        long flash = device.AiterAttentionKernels.FlashVarlenScratchBytes(spec, limits, Math.Max(gathered, limits.MaxNumTokens));
        var extend = default(ScratchSize);
        extend.Add(sizeof(float), 2L * limits.MaxNumTokens, spec.NumQoHeads);
        extend.Add(device.ActivationDType.ByteSize(), limits.MaxNumTokens, (long)spec.NumQoHeads * spec.VHeadDim);
        extend.Add(1, gathered, perToken);
        return Math.Max(decode, extend.Bytes + flash);
    }

    public override void Plan(DeviceContext context, ForwardBatch batch, int group)
    {
        base.Plan(context, batch, group);
        _decode = BatchRegion.Of(batch, 0, batch.NumDecodes);
        _extend = BatchRegion.Of(batch, batch.NumDecodes, batch.NumExtends);
        int first = batch.NumDecodes + batch.NumExtends;
        _prefill = BatchRegion.Of(batch, first, batch.NumRows - first);
        if (_extend.NumRows > 0) _plan.Plan(context, batch, _extend.FirstRow, _extend.NumRows);
        _planned = _decode.NumRows == 0 ? default : _decodePlan.Make(context, new DecodePlanArgs
        {
            Spec = Spec,
            Cache = _firstCache,
            SeqLens = batch.SeqLens.Slice(0, _decode.FirstRow, _decode.NumRows),
            BlockTable = Group.BlockTable.Slice(0, _decode.FirstRow, _decode.NumRows),
            NumRows = _decode.NumRows,
            MaxQueryLen = _decode.MaxQueryLen,
            MaxSeqLen = _decode.MaxSeqLen,
        });
    }

    public override void Dispose()
    {
        base.Dispose();
        _plan.Dispose();
        _decodePlan.Dispose();
    }

    protected override void Attend(DeviceContext context, AttentionLayerResources resource, in AttentionInputs inputs, TensorView output)
    {
        if (_decode.NumRows > 0)
            Kernels.PagedDecode(context, Paged(resource, inputs.Query, output, _decode, AttentionRows.All, KvSplit.Fixed) with { Plan = _planned });
        if (_prefill.NumRows > 0) Kernels.FlashVarlen(context, OwnTokens(_prefill, resource, inputs, output, lse: default));
        if (_extend.NumRows == 0) return;
        long mark = context.Mark();
        TensorView lse = context.Scratch(DType.F32, Spec.NumQoHeads, output.Dim(0));
        Kernels.FlashVarlen(context, OwnTokens(_extend, resource, inputs, output, lse));
        if (!_plan.Chunks.IsEmpty) AddContext(context, resource, inputs.Query, output, lse);
        context.Release(mark);
    }

    private static long BytesPerContextToken(AttentionSpec spec, IDevice device) =>
        (long)spec.NumKvHeads * (spec.HeadDim + spec.VHeadDim) * device.ActivationDType.ByteSize();

    /// <summary>Causal attention of rows over their own new tokens.</summary>
    private FlashVarlenArgs OwnTokens(
        in BatchRegion region, AttentionLayerResources resource, in AttentionInputs inputs, TensorView output, TensorView lse) => new()
        {
            Spec = Spec,
            Query = inputs.Query,
            Key = inputs.Key,
            Value = inputs.Value,
            CuSeqlensQ = region.Offsets(Batch),
            CuSeqlensK = region.Offsets(Batch),
            NumRows = region.NumRows,
            MaxQueryLen = region.MaxQueryLen,
            MaxKeyLen = region.MaxQueryLen,
            Causal = true,
            Sinks = resource.Sinks,
            AlibiSlopes = resource.AlibiSlopes,
            Output = output,
            Lse = lse,
        };

    private void AddContext(DeviceContext context, AttentionLayerResources resource, TensorView query, TensorView output, TensorView lse)
    {
        ReadOnlySpan<int> offsets = Batch.CuSeqlensQHost;
        TensorView partial = context.Scratch(output.DType, output.Dim(0), Spec.NumQoHeads, Spec.VHeadDim);
        TensorView partialLse = context.Scratch(DType.F32, Spec.NumQoHeads, output.Dim(0));
        foreach (ref readonly ContextChunk chunk in _plan.Chunks)
        {
            long mark = context.Mark();
            int firstRow = _extend.FirstRow + chunk.FirstRow;
            int firstToken = offsets[firstRow], numTokens = offsets[firstRow + chunk.NumRows] - firstToken;
            TensorView gathered = context.Scratch(
                query.DType, chunk.NumTokens * (long)Spec.NumKvHeads * (Spec.HeadDim + Spec.VHeadDim));
            long keys = (long)chunk.NumTokens * Spec.NumKvHeads * Spec.HeadDim;
            TensorView key = gathered.Slice(0, 0, keys).Reshape(chunk.NumTokens, Spec.NumKvHeads, Spec.HeadDim);
            TensorView value = gathered.Slice(0, keys, gathered.Dim(0) - keys).Reshape(chunk.NumTokens, Spec.NumKvHeads, Spec.VHeadDim);
            Kernels.GatherKv(context, new GatherKvArgs
            {
                Cache = resource.Cache,
                BlockTable = Group.BlockTable.Slice(0, firstRow, chunk.NumRows),
                CuSeqlensK = _plan.KeyOffsets(chunk),
                KeyPositions = _plan.KeyPositions(chunk),
                NumRows = chunk.NumRows,
                Key = key,
                Value = value,
            });
            Kernels.FlashVarlen(context, new FlashVarlenArgs
            {
                Spec = _contextSpec,
                Query = query,
                Key = key,
                Value = value,
                CuSeqlensQ = Batch.CuSeqlensQ.Slice(0, firstRow, chunk.NumRows + 1),
                CuSeqlensK = _plan.KeyOffsets(chunk),
                QueryPositions = _plan.QueryPositions(chunk),
                KeyPositions = _plan.KeyPositions(chunk),
                NumRows = chunk.NumRows,
                MaxQueryLen = _extend.MaxQueryLen,
                MaxKeyLen = chunk.MaxKeyLen,
                Causal = false,
                AlibiSlopes = resource.AlibiSlopes,
                Output = partial,
                Lse = partialLse,
            });
            StateMerge.Into(context, Kernels, output, lse, partial, partialLse, firstToken, numTokens);
            context.Release(mark);
        }
    }
}
