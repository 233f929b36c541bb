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
            if (Latent(spec).Kernel is { } latent) Tune(AiterPrimitive.MlaDecode, spec, limits, blockSize, latent.Fingerprint, cancellationToken);
        }
        else if (Paged(spec, blockSize, poolBytes: 0).Kernel is { } paged)
        {
            Tune(AiterPrimitive.PagedDecode, spec, limits, blockSize, paged.Fingerprint, cancellationToken);
        }

        if (Flash(ShapeOf(spec, causal: true)).Kernel is { } flash) Tune(AiterPrimitive.FlashVarlen, expanded, limits, blockSize, flash.Fingerprint, cancellationToken);
    }

    private void Tune(AiterPrimitive primitive, AttentionSpec spec, in BatchLimits limits, int blockSize, string fingerprint, CancellationToken cancellationToken)
    {
        // Sessions that share the device share the times: those of a session that runs are never changed.
        var shape = TimedShape.Of(primitive, spec);
        if (_times.ContainsKey(shape)) return;

        // Not disposed of: it shares the library. Its tables of scales are its own.
        var always = new AiterAttentionKernels(_own, _library, "", allowFp8Activations: _fp8Refusals.IsEmpty) { LatentBudgetBytes = LatentBudgetBytes };
        var tuner = new AiterTuner(_own.Gpu, _own, new KernelTimesStore(TimesCache, Clock));
        try
        {
            _times.TryAdd(shape, tuner.Times(primitive, spec, limits, blockSize, always, fingerprint, cancellationToken));
        }
        catch (DeviceMemoryException)
        {
            // No room to measure in: the shape decides.
        }
        finally
        {
            always._scales.Dispose();
        }
    }

    /// <summary>AITER's kernel is the one to take for a step.</summary>
    private bool Prefers(AiterPrimitive primitive, AttentionSpec spec, int rows, int length)
    {
        if (Choice == AiterKernelChoice.Always) return true;
        if (Choice == AiterKernelChoice.Measured && _times.TryGetValue(TimedShape.Of(primitive, spec), out KernelTimes? times)) return times.PrefersAiter(rows, length);
        return primitive != AiterPrimitive.PagedDecode || (long)rows * spec.NumQoHeads > HeadsPerComputeUnit * (long)_library!.Device.Info.ComputeUnits;
    }

    /// <summary>The steps for which this library's kernel is chosen although AITER's could run, a sentence; empty: none.</summary>
    private string ChoiceOf(AiterPrimitive primitive, AttentionSpec spec, out bool never)
    {
        never = false;
        if (Choice == AiterKernelChoice.Always) return "";
        AttentionSpec called = primitive == AiterPrimitive.FlashVarlen && spec.Kind == AttentionKind.Mla ? spec with { NumKvHeads = spec.NumQoHeads } : spec;
        if (Choice == AiterKernelChoice.Measured && _times.TryGetValue(TimedShape.Of(primitive, called), out KernelTimes? times))
        {
            KernelTime[] slower = [.. times.All.Where(time => time.Aiter > time.Own)];
            never = slower.Length == times.All.Length;
            return slower.Length == 0 ? "" : string.Create(
                CultureInfo.InvariantCulture,
                $"This library's kernel was faster in {slower.Length} of {times.All.Length} measured steps: {string.Join(", ", slower.Select(time => $"{time.Rows} x {time.Length}"))} (rows x tokens).");
        }

        return primitive != AiterPrimitive.PagedDecode ? "" : string.Create(
            CultureInfo.InvariantCulture,
            $"Steps of up to {HeadsPerComputeUnit * _library!.Device.Info.ComputeUnits / spec.NumQoHeads} rows are left to this library's kernel, which splits contexts.");
    }

    /// <summary>What tells times apart.</summary>
    private readonly record struct TimedShape(AiterPrimitive Primitive, int Heads, int KvHeads, int Dim, int ValueDim, DType CacheType)
    {
        public static TimedShape Of(AiterPrimitive primitive, AttentionSpec spec) => primitive == AiterPrimitive.MlaDecode
            ? new(primitive, spec.NumQoHeads, 1, spec.KvLoraRank + spec.QkRopeHeadDim, spec.KvLoraRank, spec.KvDType)
            : new(
                primitive, spec.NumQoHeads, spec.NumKvHeads, spec.Kind == AttentionKind.Mla ? spec.QkNopeHeadDim + spec.QkRopeHeadDim : spec.HeadDim, spec.VHeadDim,
                spec.KvDType);
    }
}
