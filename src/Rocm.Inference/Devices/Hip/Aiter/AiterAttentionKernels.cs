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
    // Of the backends.
    private const int PreferredBlockSize = 16;

    private readonly HipAttentionKernels _own;
    private readonly AiterKernelLibrary? _library;
    private readonly ImmutableArray<string> _absence;
    private readonly ConcurrentDictionary<AiterPagedShape, (AiterPagedDecode? Kernel, ImmutableArray<string> Reasons)> _paged = new();
    private readonly ConcurrentDictionary<AiterFlashShape, (AiterFlashForward? Kernel, ImmutableArray<string> Reasons)> _flash = new();
    private readonly ConcurrentDictionary<AiterMlaShape, (AiterMlaDecode? Kernel, ImmutableArray<string> Reasons)> _latent = new();
    private readonly AiterLatentKernels _latentKernels;
    private readonly AiterScaleTables _scales;
    private readonly DType _fp8;
    private readonly ImmutableArray<string> _fp8Refusals;

    /// <summary>Loads nothing yet.</summary>
    /// <param name="own">The kernels that take what AITER's do not.</param>
    /// <param name="library">AITER's kernels for the device; null: there are none.</param>
    /// <param name="absence">Why there are none, a sentence.</param>
    /// <param name="allowFp8Activations">See <see cref="InferenceSessionOptions.AllowFp8Activations"/>.</param>
    public AiterAttentionKernels(HipAttentionKernels own, AiterKernelLibrary? library, string absence, bool allowFp8Activations = false)
    {
        _own = own;
        _latentKernels = new AiterLatentKernels(own.Library);
        _workKernels = new AiterWorkKernels(own.Library);
        _library = library;
        _absence = library is null ? [absence] : [];
        _scales = new AiterScaleTables(own.Gpu);
        _fp8 = library?.Kernels.Target == AiterScaledWeight.FnuzTarget ? DType.F8E4M3Fnuz : DType.F8E4M3Fn;
        _fp8Refusals = allowFp8Activations ? [] :
            [$"AITER's kernels over an fp8 cache round queries and probabilities to fp8 (option {nameof(InferenceSessionOptions.AllowFp8Activations)})."];
    }

    /// <summary>AITER's kernels were found for the device.</summary>
    public bool HasLibrary => _library is not null;

    /// <summary>Whose kernels run a primitive of a layer group, for the block size that the backends prefer.</summary>
    public KernelProvider ProviderOf(AiterPrimitive primitive, AttentionSpec spec)
    {
        ImmutableArray<string> reasons = _library is null ? _absence : primitive switch
        {
            AiterPrimitive.PagedDecode => Paged(spec, PreferredBlockSize, poolBytes: 0).Reasons,
            AiterPrimitive.FlashVarlen => Flash(ShapeOf(spec, causal: true)).Reasons,
            _ => Latent(spec).Reasons,
        };
        if (!reasons.IsEmpty) return new KernelProvider("hip", reasons);
        string choice = ChoiceOf(primitive, spec, out bool never);
        if (never) return new KernelProvider("hip", [choice]);
        ImmutableArray<string> exceptions = ExceptionsOf(primitive, spec);
        return new KernelProvider("aiter", choice.Length == 0 ? exceptions : [choice, .. exceptions]);
    }

    public void RopeStoreKv(DeviceContext context, in RopeStoreKvArgs args) => _own.RopeStoreKv(context, args);

    public void GatherKv(DeviceContext context, in GatherKvArgs args) => _own.GatherKv(context, args);

    public void UnifiedAttention(DeviceContext context, in PagedAttentionArgs args) => _own.UnifiedAttention(context, args);

    public void FlashVarlenPacked(DeviceContext context, in FlashVarlenArgs args) => _own.FlashVarlenPacked(context, args);

    public void MergeStates(DeviceContext context, in MergeStatesArgs args) => _own.MergeStates(context, args);

    public long UnifiedAttentionScratchBytes(AttentionSpec spec, in BatchLimits limits) => _own.UnifiedAttentionScratchBytes(spec, limits);

    public void Dispose()
    {
        _scales.Dispose();
        _library?.Dispose();
    }

    /// <summary>What a primitive that AITER's kernels run leaves to this library's, a sentence each.</summary>
    private ImmutableArray<string> ExceptionsOf(AiterPrimitive primitive, AttentionSpec spec) => primitive switch
    {
        AiterPrimitive.MlaDecode => [LongestLatentQuery(spec) is var longest and > 1
            ? $"Rows of more than {longest} new tokens and layers with more than 4 GiB of cache are left to this library's kernel."
            : "Rows of several new tokens and layers with more than 4 GiB of cache are left to this library's kernel.", .. PersistentRefusals(spec)],
        AiterPrimitive.PagedDecode => [.. LargeBlocks(spec), LongestPagedQuery(spec, PreferredBlockSize) is var longest and > 1
            ? $"Rows of more than {longest} new tokens are left to this library's kernel, contexts of 241 to 255 tokens, which AITER's gets wrong, and layers with more cache than it addresses."
            : "Rows of several new tokens are left to this library's kernel, contexts of 241 to 255 tokens, which AITER's gets wrong, and layers with more cache than it addresses."],
        _ => [],
    };

    /// <summary>The kernels read caches of a type: 8-bit ones only where that is allowed, and of the device's own kind of fp8.</summary>
    private bool ReadsCache(DType type) => type.ByteSize() != 1 || (_fp8Refusals.IsEmpty && type == _fp8);

    private ImmutableArray<string> CacheRefusals(DType type) =>
        !_fp8Refusals.IsEmpty ? _fp8Refusals : [$"AITER's kernels read 8-bit caches of {_fp8} on this device, not of {type}."];

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
