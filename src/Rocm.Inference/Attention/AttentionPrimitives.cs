using System.Diagnostics.CodeAnalysis;
using Rocm.Inference.Devices;

namespace Rocm.Inference;

/// <summary>
/// The library's kernels for backends of a host: what every executor has to do (storing K and V) and what it may want to leave to the library.
/// They run on any device and read and write caches of any layout and element type. T = tokens of the step.
/// </summary>
[Experimental("ROCM0001")]
public static class AttentionPrimitives
{
    /// <summary>Scratch that <see cref="GatherKeyValue"/> takes from the context's arena, in bytes, to be counted in <see cref="IAttentionBackend.WorkspaceBytes"/>.</summary>
    public static long GatherScratchBytes => 128;

    /// <summary>
    /// Rotates q and k of the step's tokens in place and stores K and V in the cache. Tokens whose slot is −1 are rotated and not stored. Mla: rotates
    /// q_pe and k_pe, stores c_kv and k_pe.
    /// </summary>
    /// <param name="context">Where it runs.</param>
    /// <param name="layer">The layer: its cache and its rotation.</param>
    /// <param name="batch">The step.</param>
    /// <param name="group">Index of the layer's group in <see cref="ForwardBatch.Groups"/>.</param>
    /// <param name="inputs">What <see cref="IAttentionExecutor.Run"/> was given.</param>
    public static void StoreKeyValue(DeviceContext context, AttentionLayerResources layer, ForwardBatch batch, int group, in AttentionInputs inputs)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(layer);
        ArgumentNullException.ThrowIfNull(batch);
        StoreKeyValue(context, layer, batch, batch.Groups[group], inputs, roundsInputs: false);
    }

    /// <summary>The same for the library's own executors, which may want K and V rounded as well, see <see cref="RopeStoreKvArgs.RoundsInputs"/>.</summary>
    internal static void StoreKeyValue(
        DeviceContext context, AttentionLayerResources layer, ForwardBatch batch, ForwardBatchGroup group, in AttentionInputs inputs, bool roundsInputs)
    {
        bool isLatent = layer.Cache.Layout == KvLayoutKind.MlaLatent;
        context.Device.AttentionKernels.RopeStoreKv(context, new RopeStoreKvArgs
        {
            Query = isLatent ? inputs.QueryRope : inputs.Query,
            Key = isLatent ? inputs.KeyRope : inputs.Key,
            Value = isLatent ? inputs.Key : inputs.Value,
            Rope = layer.Rope,
            Positions = batch.Positions,
            SlotMapping = group.SlotMapping,
            Cache = layer.Cache,
            RoundsInputs = roundsInputs,
        });
    }

    /// <summary>
    /// Copies the keys and values of consecutive positions of one row out of the cache, dequantized. Positions before the row's window, if the group has
    /// one, have no content.
    /// </summary>
    /// <param name="context">Where it runs.</param>
    /// <param name="layer">The layer.</param>
    /// <param name="batch">The step.</param>
    /// <param name="group">Index of the layer's group in <see cref="ForwardBatch.Groups"/>.</param>
    /// <param name="row">The row of the batch.</param>
    /// <param name="firstPosition">The first position to copy.</param>
    /// <param name="key">[n, NumKvHeads, HeadDim] of the activations' type; n positions are copied. Mla: [n, 1, KvLoraRank + QkRopeHeadDim].</param>
    /// <param name="value">[n, NumKvHeads, VHeadDim]; absent for Mla.</param>
    /// <exception cref="ArgumentOutOfRangeException">The batch has no such row, or the row no such positions.</exception>
    public static void GatherKeyValue(
        DeviceContext context, AttentionLayerResources layer, ForwardBatch batch, int group, int row, int firstPosition, TensorView key, TensorView value)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(layer);
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentOutOfRangeException.ThrowIfNegative(row);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(row, batch.NumRows);
        int count = checked((int)key.Dim(0));
        ArgumentOutOfRangeException.ThrowIfNegative(firstPosition);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(firstPosition, batch.SeqLensHost[row] - count);
        long mark = context.Mark();
        TensorView offsets = context.Scratch(DType.I32, 2);
        TensorView positions = context.Scratch(DType.I32, 1);
        context.Upload<int>([0, count], offsets);
        context.Upload<int>([firstPosition], positions);
        context.Device.AttentionKernels.GatherKv(context, new GatherKvArgs
        {
            Cache = layer.Cache,
            BlockTable = batch.Groups[group].BlockTable.Slice(0, row, 1),
            CuSeqlensK = offsets,
            KeyPositions = positions,
            NumRows = 1,
            Key = key,
            Value = value,
        });
        context.Release(mark);
    }

    /// <summary>
    /// Attention of the step over the cache, as TRITON_ATTN computes it: for backends that only look on, or do something of their own for some
    /// layers. Mha only; honours everything that a spec can ask for.
    /// </summary>
    /// <param name="context">Where it runs.</param>
    /// <param name="spec">The layer group.</param>
    /// <param name="layer">The layer.</param>
    /// <param name="batch">The step; its tokens are in the cache.</param>
    /// <param name="group">Index of the layer's group in <see cref="ForwardBatch.Groups"/>.</param>
    /// <param name="query">Rotated q [T, NumQoHeads, HeadDim].</param>
    /// <param name="output">[T, NumQoHeads, VHeadDim].</param>
    public static void Attend(
        DeviceContext context, AttentionSpec spec, AttentionLayerResources layer, ForwardBatch batch, int group, TensorView query, TensorView output)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(spec);
        ArgumentNullException.ThrowIfNull(layer);
        ArgumentNullException.ThrowIfNull(batch);
        context.Device.AttentionKernels.UnifiedAttention(context, new PagedAttentionArgs
        {
            Spec = spec,
            Query = query,
            Cache = layer.Cache,
            CuSeqlensQ = batch.CuSeqlensQ,
            SeqLens = batch.SeqLens,
            BlockTable = batch.Groups[group].BlockTable,
            NumRows = batch.NumRows,
            MaxQueryLen = batch.MaxQueryLen,
            MaxSeqLen = batch.MaxSeqLen,
            Sinks = layer.Sinks,
            AlibiSlopes = layer.AlibiSlopes,
            Output = output,
        });
    }

    /// <summary>Scratch that <see cref="Attend"/> takes from the context's arena at most, in bytes, to be counted in <see cref="IAttentionBackend.WorkspaceBytes"/>.</summary>
    /// <param name="spec">The layer group.</param>
    /// <param name="device">Where it will run.</param>
    /// <param name="limits">The largest step.</param>
    public static long AttendScratchBytes(AttentionSpec spec, IDevice device, BatchLimits limits)
    {
        ArgumentNullException.ThrowIfNull(spec);
        ArgumentNullException.ThrowIfNull(device);
        return device.AttentionKernels.UnifiedAttentionScratchBytes(spec, limits);
    }
}
