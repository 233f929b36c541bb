using System.Collections.Concurrent;
using System.Collections.Immutable;
using Rocm.Inference.Devices.Hip.Attention;
using Rocm.Inference.Native.Aiter;

namespace Rocm.Inference.Devices.Hip.Aiter;

/// <summary>
/// AITER's kernels where one is there, fits and is right, this library's where not; which, is decided by shape alone, so that a recorded step stays right
/// while its lengths grow. What AITER's kernels lack (windows, soft-caps, sinks, ALiBi, other dims) goes to ours. Thread-safe; owns the kernels.
/// </summary>
internal sealed partial class AiterAttentionKernels : IAttentionKernels, IDisposable
{
    private readonly HipAttentionKernels _own;
    private readonly AiterKernelLibrary? _library;
    private readonly ImmutableArray<string> _absence;
    private readonly ConcurrentDictionary<AiterPagedShape, (AiterPagedDecode? Kernel, ImmutableArray<string> Reasons)> _paged = new();
    private readonly ConcurrentDictionary<AiterFlashShape, (AiterFlashForward? Kernel, ImmutableArray<string> Reasons)> _flash = new();

    /// <summary>Loads nothing yet.</summary>
    /// <param name="own">The kernels that take what AITER's do not.</param>
    /// <param name="library">AITER's kernels for the device; null: there are none.</param>
    /// <param name="absence">Why there are none, a sentence.</param>
    public AiterAttentionKernels(HipAttentionKernels own, AiterKernelLibrary? library, string absence)
    {
        _own = own;
        _library = library;
        _absence = library is null ? [absence] : [];
    }

    /// <summary>Whose kernels run a primitive of a layer group, for the block size that the backends prefer.</summary>
    public KernelProvider ProviderOf(AiterPrimitive primitive, AttentionSpec spec)
    {
        ImmutableArray<string> reasons = _library is null ? _absence : primitive switch
        {
            AiterPrimitive.PagedDecode => Paged(ShapeOf(spec, blockSize: 16, poolBytes: 0)).Reasons,
            AiterPrimitive.FlashVarlen => Flash(ShapeOf(spec, causal: true)).Reasons,
            _ => [MlaDecodeReason],
        };
        return reasons.IsEmpty ? new KernelProvider("aiter", []) : new KernelProvider("hip", reasons);
    }

    public void RopeStoreKv(DeviceContext context, in RopeStoreKvArgs args) => _own.RopeStoreKv(context, args);

    public void GatherKv(DeviceContext context, in GatherKvArgs args) => _own.GatherKv(context, args);

    public void UnifiedAttention(DeviceContext context, in PagedAttentionArgs args) => _own.UnifiedAttention(context, args);

    public void FlashVarlenPacked(DeviceContext context, in FlashVarlenArgs args) => _own.FlashVarlenPacked(context, args);

    public void MergeStates(DeviceContext context, in MergeStatesArgs args) => _own.MergeStates(context, args);

    public long UnifiedAttentionScratchBytes(AttentionSpec spec, in BatchLimits limits) => _own.UnifiedAttentionScratchBytes(spec, limits);

    public void Dispose() => _library?.Dispose();

    private static AiterFeatures FeaturesOf(AttentionSpec spec) =>
        (spec.SlidingWindow is null ? 0 : AiterFeatures.SlidingWindow) | (spec.LogitsSoftCap == 0 ? 0 : AiterFeatures.SoftCap)
        | (spec.HasSinks ? AiterFeatures.Sinks : 0) | (spec.HasAlibi ? AiterFeatures.Alibi : 0);

    private static AiterDType TypeOf(DType dtype) => dtype switch
    {
        DType.F16 => AiterDType.Fp16,
        DType.F8E4M3Fn or DType.F8E4M3Fnuz or DType.F8E5M2 => AiterDType.Fp8,
        _ => AiterDType.Bf16,
    };
}
