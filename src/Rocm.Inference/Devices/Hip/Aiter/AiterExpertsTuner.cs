using System.Globalization;
using Rocm.Inference.Native.Kernels;

namespace Rocm.Inference.Devices.Hip.Aiter;

/// <summary>Times AITER's experts and this library's at steps of 1, 2, 4 … tokens on made-up operands, or finds the times of an earlier session.</summary>
/// <param name="gpu">The device.</param>
/// <param name="store">Where times are found and kept.</param>
internal sealed class AiterExpertsTuner(HipGpu gpu, KernelTimesStore store)
{
    // Version of what is measured and how.
    private const string Method = "experts times 1";

    /// <summary>Times of an op, found or measured. Rows are tokens; lengths are 1.</summary>
    /// <param name="op">What to time.</param>
    /// <param name="maxTokens">Tokens of the largest step.</param>
    /// <param name="cancellationToken">Stops between two steps.</param>
    public KernelTimes Times(AiterFusedExpertsOp op, int maxTokens, CancellationToken cancellationToken) =>
        store.Times(KeyOf(op, maxTokens), () => Measure(op, maxTokens, cancellationToken));

    private CodeObjectKey KeyOf(AiterFusedExpertsOp op, int maxTokens) => KernelTimesStore.KeyOf(
        gpu.Native, Method, op.Fingerprint,
        [string.Create(CultureInfo.InvariantCulture, $"{op.Shape.Experts} {op.Shape.Choices} {op.Shape.Width} {op.Shape.Inner} {maxTokens}")], "moe/", "dense/");

    private KernelTimes Measure(AiterFusedExpertsOp op, int maxTokens, CancellationToken cancellationToken)
    {
        using var trial = new ExpertsTrial(gpu, op, maxTokens);
        using var context = (HipContext)gpu.CreateContext(trial.ScratchBytes);
        var times = new List<KernelTime>();
        for (long tokens = 1; ; tokens = Math.Min(tokens * 2, maxTokens))
        {
            cancellationToken.ThrowIfCancellationRequested();
            int count = (int)tokens;
            times.Add(new KernelTime(count, 1, store.Best(context, () => trial.RunFused(context, count)), store.Best(context, () => trial.RunApart(context, count))));
            if (tokens == maxTokens) return new KernelTimes(times);
        }
    }
}
