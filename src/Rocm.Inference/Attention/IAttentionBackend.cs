using System.Diagnostics.CodeAnalysis;

namespace Rocm.Inference;

/// <summary>
/// One way to compute attention: which kernels run for prefill, extend and decode rows, over which cache layout. Stateless and
/// thread-safe; what has state is the executor that it makes for one layer group of one session.
/// </summary>
[Experimental("ROCM0001")]
public interface IAttentionBackend
{
    /// <summary>Identity in options, logs, selection and tests, for example <c>TRITON_ATTN</c>. Compared without case.</summary>
    string Name { get; }

    /// <summary>Whether it computes multi-head or latent attention.</summary>
    AttentionKind Kind { get; }

    /// <summary>Every reason against using this backend for <paramref name="spec"/> on <paramref name="device"/>, or none.</summary>
    /// <param name="spec">What the layer group needs.</param>
    /// <param name="device">Where it would run.</param>
    AttentionSupport CheckSupport(AttentionSpec spec, IDevice device);

    /// <summary>Which kernels run in each phase, and whose they are: for reports. Empty when the backend does not tell.</summary>
    /// <param name="spec">A spec that <see cref="CheckSupport"/> accepted.</param>
    /// <param name="device">Where it will run.</param>
    IReadOnlyList<AttentionPhase> DescribePhases(AttentionSpec spec, IDevice device) => [];

    /// <summary>The cache layout it wants.</summary>
    /// <param name="spec">What the layer group needs.</param>
    KvCacheLayout GetKvCacheLayout(AttentionSpec spec);

    /// <summary>
    /// Scratch that one <see cref="IAttentionExecutor.Run"/> takes from the context's arena at most, in bytes. Asked at load, before memory is planned.
    /// </summary>
    /// <param name="spec">A spec that <see cref="CheckSupport"/> accepted.</param>
    /// <param name="device">Where it will run.</param>
    /// <param name="limits">The largest step.</param>
    long WorkspaceBytes(AttentionSpec spec, IDevice device, BatchLimits limits);

    /// <summary>Makes the executor of one layer group.</summary>
    /// <param name="spec">A spec that <see cref="CheckSupport"/> accepted.</param>
    /// <param name="resources">Device, cache and per-layer weights; they outlive the executor.</param>
    IAttentionExecutor CreateExecutor(AttentionSpec spec, AttentionResources resources);
}

/// <summary>Order in which a batch's rows must lie.</summary>
[Experimental("ROCM0001")]
public enum BatchOrder
{
    /// <summary>No order.</summary>
    Any,

    /// <summary>
    /// Rows with at most <see cref="IAttentionExecutor.DecodeThreshold"/> new tokens on top of a cached context, then longer rows with context, then
    /// rows without.
    /// </summary>
    DecodeExtendPrefill,
}

/// <summary>Which steps of an executor may be captured as a graph and replayed with other lengths.</summary>
[Experimental("ROCM0001")]
public enum GraphSupport
{
    /// <summary>None.</summary>
    Never,

    /// <summary>Steps in which every row has one new token.</summary>
    SingleToken,

    /// <summary>Steps in which every row has the same number of new tokens.</summary>
    UniformQuery,

    /// <summary>Any step.</summary>
    Always,
}

/// <summary>The largest step a session can make.</summary>
/// <param name="MaxNumTokens">Tokens of one step.</param>
/// <param name="MaxNumRows">Rows (requests) of one step.</param>
/// <param name="MaxSeqLen">Longest sequence.</param>
[Experimental("ROCM0001")]
public readonly record struct BatchLimits(int MaxNumTokens, int MaxNumRows, int MaxSeqLen);

/// <summary>
/// Attention of one layer group of one session. Driven by the engine's thread only: <see cref="Plan"/> once per step, then
/// <see cref="Run"/> once per layer. Neither allocates after warm-up; <see cref="Run"/> never waits for the device.
/// </summary>
[Experimental("ROCM0001")]
public interface IAttentionExecutor : IDisposable
{
    /// <summary>The order of rows that <see cref="Plan"/> relies on.</summary>
    BatchOrder Order { get; }

    /// <summary>Most new tokens of a row, on top of a cached context, that count as decode in <see cref="BatchOrder.DecodeExtendPrefill"/>. Default 1.</summary>
    int DecodeThreshold => 1;

    /// <summary>Which steps may be captured.</summary>
    GraphSupport Graphs { get; }

    /// <summary>Looks at a step before its layers run: routing, chunk plans, split plans, and their metadata to the device.</summary>
    /// <param name="context">Where the layers will run.</param>
    /// <param name="batch">The step.</param>
    /// <param name="group">Index of this executor's layer group in <see cref="ForwardBatch.Groups"/>.</param>
    void Plan(DeviceContext context, ForwardBatch batch, int group);

    /// <summary>Stores this step's K and V of one layer and computes its attention.</summary>
    /// <param name="context">Where it runs.</param>
    /// <param name="layer">Index of the layer within its group.</param>
    /// <param name="inputs">Unrotated q, k and v of the step's tokens; may be overwritten.</param>
    /// <param name="output">[T, NumQoHeads, VHeadDim].</param>
    void Run(DeviceContext context, int layer, in AttentionInputs inputs, TensorView output);
}
