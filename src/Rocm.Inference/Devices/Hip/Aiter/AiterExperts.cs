using System.Collections.Concurrent;
using System.Collections.Immutable;
using Rocm.Inference.Native.Aiter;
using Rocm.Inference.Native.Kernels;

namespace Rocm.Inference.Devices.Hip.Aiter;

/// <summary>
/// Finds for the experts of a layer AITER's kernel that computes them in one, or says why there is none. Layers of one shape share what was found. Thread-safe; the
/// library is another's.
/// </summary>
internal sealed class AiterExperts
{
    private readonly HipKernels _kernels;
    private readonly AiterKernelLibrary? _library;
    private readonly ImmutableArray<string> _refusals;
    private readonly AiterExpertTiles _tiles;
    private readonly ConcurrentDictionary<AiterFusedExpertsShape, (AiterFusedExpertsOp? Op, ImmutableArray<string> Reasons)> _ops = new();
    private readonly HipGpu _gpu;

    /// <summary>Loads nothing yet.</summary>
    /// <param name="gpu">The device.</param>
    /// <param name="kernels">This library's ops.</param>
    /// <param name="library">AITER's kernels for the device; null: there are none.</param>
    /// <param name="absence">Why there are none, a sentence.</param>
    /// <param name="allowFp8Activations">See <see cref="InferenceSessionOptions.AllowFp8Activations"/>.</param>
    public AiterExperts(HipGpu gpu, HipKernels kernels, AiterKernelLibrary? library, string absence, bool allowFp8Activations)
    {
        (_gpu, _kernels, _library, _tiles) = (gpu, kernels, library, new AiterExpertTiles(gpu.Library));
        _refusals = library is null ? [absence]
            : library.Kernels.Target != AiterScaledWeight.FnuzTarget ? [$"AITER's experts of {library.Kernels.Target} are not launched, only those of {AiterScaledWeight.FnuzTarget}."]
            : allowFp8Activations ? []
            : [$"AITER's experts round activations to fp8 (option {nameof(InferenceSessionOptions.AllowFp8Activations)})."];
    }

    /// <summary>There are kernels that may run.</summary>
    public bool MayRun => _refusals.IsEmpty && !_library!.Kernels.FusedExperts.IsEmpty;

    /// <summary>How to choose between AITER's kernel and this library's.</summary>
    public AiterKernelChoice Choice { get; init; } = AiterKernelChoice.Always;

    /// <summary>Where measured times are kept; null: nowhere.</summary>
    public CodeObjectCache? TimesCache { get; init; }

    /// <summary>Microseconds of enqueued work; null: by events of the stream.</summary>
    public Func<HipContext, Action, double>? Clock { get; init; }

    /// <summary>Steps of a layer that AITER's kernel computed so far; one that is recorded counts once.</summary>
    public long NumRuns => _ops.Values.Sum(op => op.Op?.NumRuns ?? 0);

    /// <summary>AITER's kernel for the experts of a layer.</summary>
    /// <param name="routing">How many experts there are, and how many a token has.</param>
    /// <param name="gateUp">How gate and up are packed.</param>
    /// <param name="down">How down is packed.</param>
    /// <param name="activation">Between the two products.</param>
    /// <param name="reasons">Why there is none, a sentence each.</param>
    public IFusedExperts? Fuse(
        MoeRouting routing, ReadOnlySpan<WeightSource> gateUp, ReadOnlySpan<WeightSource> down, ActivationKind activation, out IReadOnlyList<string> reasons)
    {
        reasons = _refusals;
        if (!_refusals.IsEmpty) return null;
        HipWeightLayout first = _gpu.LayoutOf(gateUp), second = _gpu.LayoutOf(down);
        var refusals = new AiterReasons();
        refusals.Require(
            first.IsShuffled && second.IsShuffled,
            $"AITER's experts are of fp8 with one scale for each block of {HipShuffledRows.Block} x {HipShuffledRows.Block} elements, and of whole blocks.");
        refusals.Require(!first.HasBias && !second.HasBias, "AITER's experts have no biases.");
        refusals.Require(activation == ActivationKind.Silu, $"AITER's experts have SiLU between their products, not {activation}.");
        reasons = refusals.ToImmutable();
        if (reasons.Count > 0) return null;
        var shape = new AiterFusedExpertsShape(routing.NumExperts, routing.TopK, first.InputFeatures, second.InputFeatures);
        if (!_ops.TryGetValue(shape, out (AiterFusedExpertsOp? Op, ImmutableArray<string> Reasons) found)) found = _ops.GetOrAdd(shape, Create(shape, first, second));
        reasons = found.Reasons;
        return found.Op;
    }

    private (AiterFusedExpertsOp? Op, ImmutableArray<string> Reasons) Create(in AiterFusedExpertsShape shape, in HipWeightLayout gateUp, in HipWeightLayout down)
    {
        if (AiterFusedExperts.TryCreate(_library!, shape, _gpu.ComputeUnits, out ImmutableArray<string> reasons) is not { } kernel) return (null, reasons);
        AiterExpertsTuner? tuner = Choice == AiterKernelChoice.Measured ? new AiterExpertsTuner(_gpu, new KernelTimesStore(TimesCache, Clock)) : null;
        return (new AiterFusedExpertsOp(_kernels, kernel, _tiles, gateUp, down, shape.Choices, tuner), reasons);
    }
}
