using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Globalization;
using Rocm.Inference.Native.Aiter;
using Rocm.Inference.Native.Kernels;

namespace Rocm.Inference.Devices.Hip.Aiter;

/// <summary>
/// AITER's kernels for products of rows with fp8 weights in blocks of 128 × 128: which weights they serve, from how many rows on, and why not. Kernels are verified
/// and loaded when the first weight of a shape is packed. Thread-safe.
/// </summary>
internal sealed class AiterLinear
{
    private const long ScratchAlignment = 64;

    private readonly AiterKernelLibrary? _library;
    private readonly ImmutableArray<string> _absence;
    private readonly ConcurrentDictionary<(int Outputs, int Inputs), (AiterProduct? Product, ImmutableArray<string> Reasons)> _products = new();

    /// <summary>Loads nothing yet.</summary>
    /// <param name="library">AITER's kernels for the device; null: there are none.</param>
    /// <param name="absence">Why there are none, a sentence.</param>
    /// <param name="allowFp8Activations">See <see cref="InferenceSessionOptions.AllowFp8Activations"/>.</param>
    public AiterLinear(AiterKernelLibrary? library, string absence, bool allowFp8Activations)
    {
        var reasons = new AiterReasons();
        reasons.Require(library is not null, absence);
        if (library is not null)
        {
            reasons.Require(allowFp8Activations, $"AITER's products with fp8 weights round rows to fp8 (option {nameof(InferenceSessionOptions.AllowFp8Activations)}).");
            reasons.Require(library.Kernels.Target == AiterScaledWeight.FnuzTarget, $"AITER's products with fp8 weights are launched on {AiterScaledWeight.FnuzTarget} only.");
            reasons.Require(!library.Kernels.ScaledGemm.IsEmpty, "This AITER lists no products with fp8 weights in scaled blocks.");
        }

        _absence = reasons.ToImmutable();
        _library = _absence.IsEmpty ? library : null;
    }

    /// <summary>How to choose.</summary>
    internal AiterKernelChoice Choice { get; init; } = AiterKernelChoice.Always;

    /// <summary>Where measured times are kept; null: nowhere.</summary>
    internal CodeObjectCache? TimesCache { get; init; }

    /// <summary>Microseconds of enqueued work; null: by events of the stream.</summary>
    internal Func<HipContext, Action, double>? Clock { get; init; }

    /// <summary>There are kernels that may run.</summary>
    public bool MayRun => _library is not null;

    /// <summary>What a product takes from the arena at most: rows in 8 bits, their scales, and a result that is to be added.</summary>
    public static long ScratchBytes(long rows, long outputs, long inputs) =>
        Align(rows * inputs) + Align(rows * (inputs / HipKernels.QuantizedColumns) * sizeof(float)) + Align(rows * outputs * sizeof(ushort));

    /// <summary>The kernels for a shape of weights; null with reasons, a sentence each.</summary>
    /// <exception cref="Rocm.Inference.HipException">The device is lost.</exception>
    public AiterProduct? ProductOf(int outputs, int inputs, out ImmutableArray<string> reasons)
    {
        if (_library is null)
        {
            reasons = _absence;
            return null;
        }

        (AiterProduct? product, reasons) = _products.GetOrAdd((outputs, inputs), static (shape, self) => self.Load(shape.Outputs, shape.Inputs), this);
        return product;
    }

    /// <summary>Scratch memory of the largest product with a weight, if AITER's kernels may compute some.</summary>
    public long ScratchBytes(in WeightSource weight, int maxRows) =>
        Serving(weight) is { } product && product.MayTake(maxRows) ? ScratchBytes(maxRows, OutputsOf(weight), InputsOf(weight)) : 0;

    /// <summary>Finds or measures the times by which kernels are chosen, where they decide.</summary>
    /// <param name="gpu">The device.</param>
    /// <param name="weights">What is multiplied with.</param>
    /// <param name="maxRows">Rows of the largest product.</param>
    /// <param name="cancellationToken">Stops between two measurements.</param>
    public void Tune(HipGpu gpu, IEnumerable<WeightSource> weights, int maxRows, CancellationToken cancellationToken)
    {
        if (Choice != AiterKernelChoice.Measured || _library is null) return;
        var tuner = new AiterLinearTuner(gpu, new KernelTimesStore(TimesCache, Clock));
        foreach (WeightSource weight in weights)
        {
            // Sessions that share the device share the times: those of a session that runs are never changed.
            if (Serving(weight) is not { Times: null } product) continue;
            try
            {
                product.Times = tuner.Times(product.Kernel, OutputsOf(weight), InputsOf(weight), maxRows, cancellationToken);
            }
            catch (DeviceMemoryException)
            {
                // No room to measure in: the shape decides.
            }
        }
    }

    /// <summary>Whose kernels multiply with some weights, and what is left to others.</summary>
    public KernelProvider ProviderOf(IEnumerable<WeightSource> weights)
    {
        if (_library is null) return new KernelProvider("hip", _absence);
        int count = 0, served = 0;
        var reasons = new List<string>();
        foreach (WeightSource weight in weights)
        {
            count++;
            bool hasBlocks = HipShuffledRows.CanHold(new ReadOnlySpan<WeightSource>(in weight));
            ImmutableArray<string> refusals = [];
            AiterProduct? product = hasBlocks ? ProductOf(OutputsOf(weight), InputsOf(weight), out refusals) : null;
            if (product is not null) served++;
            reasons.AddRange(refusals);
            if (product?.Times is { } times && SlowerOf(times, weight) is { } slower) reasons.Add(slower);
        }

        if (served < count)
            reasons.Insert(0, Text($"{count - served} of {count} weights are left to this library's kernel; AITER's take whole blocks of 128 x 128 elements of E4M3 with one scale."));
        if (served > 0 && Choice == AiterKernelChoice.ByShape)
            reasons.Add(Text($"Products of up to {AiterProduct.OwnRows} rows are left to this library's kernel, which reads weights with more of the GPU."));
        return new KernelProvider(served > 0 ? "aiter" : "hip", [.. reasons.Distinct()]);
    }

    private static string? SlowerOf(KernelTimes times, in WeightSource weight)
    {
        KernelTime[] slower = [.. times.All.Where(time => time.Aiter > time.Own)];
        return slower.Length == 0 ? null : Text(
            $"With weights of {OutputsOf(weight)} x {InputsOf(weight)} this library's kernel was faster in {slower.Length} of {times.All.Length} measured products: of {string.Join(", ", slower.Select(time => time.Rows))} rows.");
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private AiterProduct? Serving(in WeightSource weight) =>
        _library is not null && HipShuffledRows.CanHold(new ReadOnlySpan<WeightSource>(in weight)) ? ProductOf(OutputsOf(weight), InputsOf(weight), out _) : null;

    private (AiterProduct? Product, ImmutableArray<string> Reasons) Load(int outputs, int inputs)
    {
        var kernel = AiterScaledGemm.TryCreate(_library!, outputs, inputs, _library!.Device.Info.ComputeUnits, out ImmutableArray<string> reasons);
        return (kernel is null ? null : new AiterProduct(kernel, Choice), reasons);
    }

    private static int InputsOf(in WeightSource weight) => weight.Parts.Span[0].Columns;

    private static int OutputsOf(in WeightSource weight)
    {
        int rows = 0;
        foreach (ref readonly WeightMatrix part in weight.Parts.Span) rows += part.Rows;
        return rows;
    }

    private static long Align(long bytes) => (bytes + ScratchAlignment - 1) & ~(ScratchAlignment - 1);
}
