using Rocm.Inference.Devices;

namespace Rocm.Inference.Attention.Backends;

internal sealed partial class MlaExecutor
{
    /// <summary>The part of a tensor of all tokens that belongs to extend and prefill rows.</summary>
    private TensorView Own(TensorView tokens) => tokens.IsAbsent ? tokens : tokens.Slice(0, _own.FirstToken, _own.NumTokens);

    /// <summary>Causal attention of extend and prefill rows over their own new tokens.</summary>
    private void AttendOwnTokens(DeviceContext context, MlaProjections projections, in AttentionInputs inputs, TensorView output, TensorView lse)
    {
        long mark = context.Mark();
        TensorView offsets = Offsets(_ownOffsets, _own.NumRows);
        TensorView expanded = Expand(context, projections, Own(inputs.Key));
        Flash(context, new FlashVarlenArgs
        {
            Spec = _expanded,
            Query = Own(inputs.Query),
            QueryRope = Own(inputs.QueryRope),
            Key = Keys(expanded),
            KeyRope = Own(inputs.KeyRope),
            Value = Values(expanded),
            CuSeqlensQ = offsets,
            CuSeqlensK = offsets,
            NumRows = _own.NumRows,
            MaxQueryLen = _own.MaxQueryLen,
            MaxKeyLen = _own.MaxQueryLen,
            Causal = true,
            Output = output,
            Lse = lse,
        });
        context.Release(mark);
    }

    private void AddContext(
        DeviceContext context, AttentionLayerResources resource, MlaProjections projections, TensorView query, TensorView queryRope, TensorView output, TensorView lse)
    {
        TensorView partial = context.Scratch(output.DType, _own.NumTokens, _spec.NumQoHeads, _spec.VHeadDim);
        TensorView partialLse = context.Scratch(DType.F32, _spec.NumQoHeads, _own.NumTokens);
        foreach (ref readonly ContextChunk chunk in _plan.Chunks)
        {
            long mark = context.Mark();
            int firstRow = _extend.FirstRow + chunk.FirstRow;
            int firstToken = Batch.CuSeqlensQHost[firstRow], numTokens = Batch.CuSeqlensQHost[firstRow + chunk.NumRows] - firstToken;
            TensorView rows = context.Scratch(query.DType, chunk.NumTokens, 1, _spec.KvLoraRank + _spec.QkRopeHeadDim);
            _kernels.GatherKv(context, new GatherKvArgs
            {
                Cache = resource.Cache,
                BlockTable = _group!.BlockTable.Slice(0, firstRow, chunk.NumRows),
                CuSeqlensK = _plan.KeyOffsets(chunk),
                KeyPositions = _plan.KeyPositions(chunk),
                NumRows = chunk.NumRows,
                Key = rows,
            });
            TensorView expanded = Expand(context, projections, rows.Slice(2, 0, _spec.KvLoraRank));
            Flash(context, new FlashVarlenArgs
            {
                Spec = _expanded,
                Query = query,
                QueryRope = queryRope,
                Key = Keys(expanded),
                KeyRope = _spec.QkRopeHeadDim == 0 ? default : rows.Slice(2, _spec.KvLoraRank, _spec.QkRopeHeadDim),
                Value = Values(expanded),
                CuSeqlensQ = Offsets(_ownOffsets + chunk.FirstRow, chunk.NumRows),
                CuSeqlensK = _plan.KeyOffsets(chunk),
                QueryPositions = _plan.QueryPositions(chunk),
                KeyPositions = _plan.KeyPositions(chunk),
                NumRows = chunk.NumRows,
                MaxQueryLen = _extend.MaxQueryLen,
                MaxKeyLen = chunk.MaxKeyLen,
                Causal = false,
                Output = partial,
                Lse = partialLse,
            });
            StateMerge.Into(context, _kernels, output, lse, partial, partialLse, firstToken - _own.FirstToken, numTokens);
            context.Release(mark);
        }
    }

    /// <summary>Latents [S, 1, L] to [S, N, P + V] in the arena.</summary>
    private TensorView Expand(DeviceContext context, MlaProjections projections, TensorView latents)
    {
        TensorView expanded = context.Scratch(latents.DType, latents.Dim(0), MlaWorkspace.ExpandedWidth(_spec));
        projections.UpProject(context, latents.Squeeze(1), expanded);
        return expanded.SplitLast(_spec.QkNopeHeadDim + _spec.VHeadDim);
    }

    private TensorView Keys(TensorView expanded) => expanded.Slice(2, 0, _spec.QkNopeHeadDim);

    private TensorView Values(TensorView expanded) => expanded.Slice(2, _spec.QkNopeHeadDim, _spec.VHeadDim);

    private void Flash(DeviceContext context, in FlashVarlenArgs args)
    {
        if (_prefillKernel == MlaPrefillKernel.FlashVarlenPacked) _flashKernels.FlashVarlenPacked(context, args);
        else _flashKernels.FlashVarlen(context, args);
    }
}
