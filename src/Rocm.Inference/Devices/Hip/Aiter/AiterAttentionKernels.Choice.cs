using System.Collections.Concurrent;
using System.Globalization;
using Rocm.Inference.Native.Kernels;

namespace Rocm.Inference.Devices.Hip.Aiter;

/// <summary>
/// AITER's kernel or this library's, where both can: by rows and the bound of lengths alone, which are the key of a recorded step, so that a recording and what
/// it stands for run the same.
/// </summary>
internal sealed partial class AiterAttentionKernels
{
    // AITER takes its paged kernel, which has one block for a row and KV head, where rows times query heads are more than so many for each compute unit.
    private const int HeadsPerComputeUnit = 2;

    private readonly ConcurrentDictionary<TimedShape, KernelTimes> _times = new();

    /// <summary>How to choose.</summary>
    internal AiterKernelChoice Choice { get; init; } = AiterKernelChoice.Always;

    /// <summary>Where measured times are kept; null: nowhere.</summary>
    internal CodeObjectCache? TimesCache { get; init; }

    /// <summary>Microseconds of enqueued work; null: by events of the stream.</summary>
    internal Func<HipContext, Action, double>? Clock { get; init; }

    /// <summary>Finds or measures the times of a layer group, where they decide.</summary>
    /// <param name="spec">The layer group.</param>
    /// <param name="limits">The largest step.</param>
    /// <param name="blockSize">Tokens of a block of the cache.</param>
    /// <param name="cancellationToken">Stops between two measurements.</param>
    public void Tune(AttentionSpec spec, in BatchLimits limits, int blockSize, CancellationToken cancellationToken)
    {
        if (Choice != AiterKernelChoice.Measured || _library is null) return;
        AttentionSpec expanded = spec.Kind == AttentionKind.Mla ? spec with { NumKvHeads = spec.NumQoHeads } : spec;
        if (spec.Kind == AttentionKind.Mla)
        {
            string? persistent = spec.KvDType == DType.BF16 ? PersistentLatent(spec, 1, poolBytes: 0).Kernel?.Fingerprint : null;
            if (Latent(spec).Kernel is { } latent) Tune(AiterPrimitive.MlaDecode, spec, limits, blockSize, latent.Fingerprint, persistent, cancellationToken);
        }
        else if (IsPersistentBlock(spec, blockSize))
        {
            if (PersistentPaged(spec, blockSize, poolBytes: 0).Kernel is { } persistent)
                Tune(AiterPrimitive.PagedDecode, spec, limits, blockSize, persistent.Fingerprint, persistent: null, cancellationToken);
        }
        else if (Paged(spec, blockSize, poolBytes: 0).Kernel is { } paged)
        {
            Tune(AiterPrimitive.PagedDecode, spec, limits, blockSize, paged.Fingerprint, persistent: null, cancellationToken);
        }

        if (Flash(ShapeOf(spec, causal: true)).Kernel is { } flash) Tune(AiterPrimitive.FlashVarlen, expanded, limits, blockSize, flash.Fingerprint, persistent: null, cancellationToken);
    }

    private void Tune(AiterPrimitive primitive, AttentionSpec spec, in BatchLimits limits, int blockSize, string fingerprint, string? persistent, CancellationToken cancellationToken)
    {
        // Sessions that share the device share the times: those of a session that runs are never changed.
        var shape = TimedShape.Of(primitive, spec, primitive == AiterPrimitive.PagedDecode && IsPersistentBlock(spec, blockSize));
        if (_times.ContainsKey(shape)) return;

        // Not disposed of: they share the library. Their tables of scales are their own.
        var always = new AiterAttentionKernels(_own, _library, "", allowFp8Activations: _fp8Refusals.IsEmpty) { LatentBudgetBytes = LatentBudgetBytes };
        var other = new AiterAttentionKernels(_own, _library, "", allowFp8Activations: _fp8Refusals.IsEmpty) { LatentBudgetBytes = LatentBudgetBytes, PrefersPersistent = true };
        var tuner = new AiterTuner(_own.Gpu, _own, new KernelTimesStore(TimesCache, Clock));
        try
        {
            _times.TryAdd(shape, tuner.Times(primitive, spec, limits, blockSize, always, persistent is null ? null : other, fingerprint + persistent, cancellationToken));
        }
        catch (DeviceMemoryException)
        {
            // No room to measure in: the shape decides.
        }
        finally
        {
            always._scales.Dispose();
            other._scales.Dispose();
        }
    }

    /// <summary>A kernel of AITER's is the one to take for a step.</summary>
    private bool Prefers(AiterPrimitive primitive, AttentionSpec spec, int rows, int length, bool hasLargeBlocks = false) =>
        Choose(primitive, spec, rows, length, hasLargeBlocks) != KernelChoice.Own;

    /// <summary>The kernel to take for a step where all may run. AITER leaves it to its callers when a kernel is to be persistent: only times decide that.</summary>
    private KernelChoice Choose(AiterPrimitive primitive, AttentionSpec spec, int rows, int length, bool hasLargeBlocks = false)
    {
        if (PrefersPersistent && primitive == AiterPrimitive.MlaDecode) return KernelChoice.Persistent;
        if (Choice == AiterKernelChoice.Always) return KernelChoice.Aiter;
        if (Choice == AiterKernelChoice.Measured && _times.TryGetValue(TimedShape.Of(primitive, spec, hasLargeBlocks), out KernelTimes? times)) return times.Best(rows, length);
        bool fills = !hasLargeBlocks && (primitive != AiterPrimitive.PagedDecode || (long)rows * spec.NumQoHeads > HeadsPerComputeUnit * (long)_library!.Device.Info.ComputeUnits);
        return fills ? KernelChoice.Aiter : KernelChoice.Own;
    }

    /// <summary>The steps for which another kernel is chosen than AITER's usual one, though that could run; empty: none.</summary>
    private string ChoiceOf(AiterPrimitive primitive, AttentionSpec spec, out bool never)
    {
        never = false;
        if (Choice == AiterKernelChoice.Always) return "";
        AttentionSpec called = primitive == AiterPrimitive.FlashVarlen && spec.Kind == AttentionKind.Mla ? spec with { NumKvHeads = spec.NumQoHeads } : spec;
        if (Choice == AiterKernelChoice.Measured && _times.TryGetValue(TimedShape.Of(primitive, called), out KernelTimes? times))
        {
            never = times.All.All(time => time.Best == KernelChoice.Own);
            string[] sentences = [Steps(times, KernelChoice.Own, "This library's kernel"), Steps(times, KernelChoice.Persistent, "AITER's persistent kernel")];
            return string.Join(' ', sentences.Where(sentence => sentence.Length > 0));
        }

        return primitive != AiterPrimitive.PagedDecode ? "" : string.Create(
            CultureInfo.InvariantCulture,
            $"Steps of up to {HeadsPerComputeUnit * _library!.Device.Info.ComputeUnits / spec.NumQoHeads} rows are left to this library's kernel, which splits contexts.");
    }

    private static string Steps(KernelTimes times, KernelChoice choice, string kernel)
    {
        KernelTime[] steps = [.. times.All.Where(time => time.Best == choice)];
        return steps.Length == 0 ? "" : string.Create(
            CultureInfo.InvariantCulture,
            $"{kernel} was faster in {steps.Length} of {times.All.Length} measured steps: {string.Join(", ", steps.Select(time => $"{time.Rows} x {time.Length}"))} (rows x tokens).");
    }

    /// <summary>What tells times apart.</summary>
    private readonly record struct TimedShape(AiterPrimitive Primitive, int Heads, int KvHeads, int Dim, int ValueDim, DType CacheType, bool HasLargeBlocks)
    {
        public static TimedShape Of(AiterPrimitive primitive, AttentionSpec spec, bool hasLargeBlocks = false) => primitive == AiterPrimitive.MlaDecode
            ? new(primitive, spec.NumQoHeads, 1, spec.KvLoraRank + spec.QkRopeHeadDim, spec.KvLoraRank, spec.KvDType, false)
            : new(
                primitive, spec.NumQoHeads, spec.NumKvHeads, spec.Kind == AttentionKind.Mla ? spec.QkNopeHeadDim + spec.QkRopeHeadDim : spec.HeadDim, spec.VHeadDim,
                spec.KvDType, hasLargeBlocks);
    }
}
