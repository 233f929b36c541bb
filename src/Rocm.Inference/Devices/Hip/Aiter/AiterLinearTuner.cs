using System.Globalization;
using Rocm.Inference.Native.Aiter;
using Rocm.Inference.Native.Kernels;

namespace Rocm.Inference.Devices.Hip.Aiter;

/// <summary>
/// Times products by AITER's kernels, with the rounding of rows before, and by this library's, on made-up operands, or finds the times of an earlier session.
/// </summary>
/// <param name="gpu">The device.</param>
/// <param name="store">Where times are found and kept.</param>
internal sealed class AiterLinearTuner(HipGpu gpu, KernelTimesStore store)
{
    // Version of what is measured and how.
    private const string Method = "linear times 1";

    /// <summary>Times of products with weights of a shape, found or measured: rows by powers of 2, up to those of the largest product. Lengths are 1.</summary>
    internal KernelTimes Times(AiterScaledGemm kernel, int outputs, int inputs, int maxRows, CancellationToken cancellationToken) =>
        store.Times(KeyOf(kernel, outputs, inputs, maxRows), () => Measure(kernel, outputs, inputs, maxRows, cancellationToken));

    private CodeObjectKey KeyOf(AiterScaledGemm kernel, int outputs, int inputs, int maxRows) => KernelTimesStore.KeyOf(
        gpu.Native, Method, kernel.Fingerprint, [string.Create(CultureInfo.InvariantCulture, $"{outputs} {inputs} {maxRows}")], "dense/");

    private KernelTimes Measure(AiterScaledGemm kernel, int outputs, int inputs, int maxRows, CancellationToken cancellationToken)
    {
        HipWeightLayout layout = HipWeightLayout.Shuffled(count: 1, outputs, inputs, hasBias: false);
        using DeviceBuffer memory = gpu.Allocate(layout.SizeBytes), x = gpu.Allocate((long)maxRows * inputs * sizeof(ushort)), y = gpu.Allocate((long)maxRows * outputs * sizeof(ushort));
        using var context = (HipContext)gpu.CreateContext(AiterLinear.ScratchBytes(maxRows, outputs, inputs));

        // One memory for both, owned here.
        var own = new HipPackedWeight(layout, memory);
        var aiter = new HipPackedWeight(layout, memory) { Aiter = new AiterProduct(kernel, AiterKernelChoice.Always) };
        var times = new List<KernelTime>();
        for (long step = 1; times.Count == 0 || times[^1].Rows < maxRows; step *= 2)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int rows = (int)Math.Min(step, maxRows);
            var input = new TensorView(x, 0, DType.BF16, rows, inputs);
            var output = new TensorView(y, 0, DType.BF16, rows, outputs);
            double ofAiter = store.Best(context, () => gpu.Kernels.Linear(context, input, aiter, output));
            times.Add(new KernelTime(rows, Length: 1, ofAiter, store.Best(context, () => gpu.Kernels.Linear(context, input, own, output))));
        }

        return new KernelTimes(times);
    }
}
