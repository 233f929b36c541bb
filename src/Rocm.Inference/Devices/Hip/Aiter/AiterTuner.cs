using System.Globalization;
using Rocm.Inference.Native.Kernels;

namespace Rocm.Inference.Devices.Hip.Aiter;

/// <summary>
/// Times AITER's kernels and this library's at the steps that a session can make, on made-up operands, or finds the times of an earlier session, by all that
/// decides times: the device, the driver, the code of both kernels and the shape.
/// </summary>
/// <param name="gpu">The device.</param>
/// <param name="own">This library's kernels.</param>
/// <param name="store">Where times are found and kept.</param>
internal sealed class AiterTuner(HipGpu gpu, IAttentionKernels own, KernelTimesStore store)
{
    // Version of what is measured and how.
    private const string Method = "attention times 2";
    private const int MaxRows = 256;
    private const int ShortestLength = 256;
    private const int LengthStep = 4;

    // Tokens of context of a step, of all rows: few caches hold more.
    private const long MaxStepTokens = 4L << 20;

    /// <summary>Times of a primitive, found or measured.</summary>
    /// <param name="primitive">What to time.</param>
    /// <param name="spec">The layer group.</param>
    /// <param name="limits">The largest step.</param>
    /// <param name="blockSize">Tokens of a block of the cache.</param>
    /// <param name="aiter">AITER's kernels, which must have one for it.</param>
    /// <param name="persistent">The same with persistent kernels before the others; null: it has none for it.</param>
    /// <param name="fingerprint">What tells those kernels from others.</param>
    /// <param name="cancellationToken">Stops between two steps.</param>
    internal KernelTimes Times(
        AiterPrimitive primitive, AttentionSpec spec, in BatchLimits limits, int blockSize, IAttentionKernels aiter, IAttentionKernels? persistent, string fingerprint,
        CancellationToken cancellationToken)
    {
        BatchLimits largest = limits;
        return store.Times(
            KeyOf(primitive, spec, limits, blockSize, fingerprint), () => Measure(primitive, spec, largest, blockSize, aiter, persistent, cancellationToken));
    }

    /// <summary>The steps that are timed: rows by powers of 2, lengths by powers of 4; prompts are one row.</summary>
    internal static IEnumerable<(int Rows, int Length)> Steps(AiterPrimitive primitive, BatchLimits limits)
    {
        bool isPrompt = primitive == AiterPrimitive.FlashVarlen;
        int maxRows = isPrompt ? 1 : Math.Min(limits.MaxNumRows, MaxRows), maxLength = isPrompt ? Math.Min(limits.MaxNumTokens, limits.MaxSeqLen) : limits.MaxSeqLen;
        foreach (int rows in Sizes(1, 2, maxRows))
        {
            foreach (int length in Sizes(ShortestLength, LengthStep, maxLength))
            {
                if (rows == 1 || (long)rows * length <= MaxStepTokens) yield return (rows, length);
            }
        }
    }

    private static IEnumerable<int> Sizes(int first, int step, int last)
    {
        for (long size = first; size < last; size *= step) yield return (int)size;
        yield return last;
    }

    private CodeObjectKey KeyOf(AiterPrimitive primitive, AttentionSpec spec, in BatchLimits limits, int blockSize, string fingerprint) => KernelTimesStore.KeyOf(
        gpu.Native, Method, fingerprint,
        [
            primitive.ToString(),
            string.Create(CultureInfo.InvariantCulture, $"{spec.NumQoHeads} {spec.NumKvHeads} {spec.HeadDim} {spec.VHeadDim} {spec.KvDType} {spec.KvLoraRank} {spec.QkNopeHeadDim} {spec.QkRopeHeadDim}"),
            string.Create(CultureInfo.InvariantCulture, $"{limits.MaxNumTokens} {limits.MaxNumRows} {limits.MaxSeqLen} {blockSize}"),
        ],
        "attention/");

    private KernelTimes Measure(
        AiterPrimitive primitive, AttentionSpec spec, in BatchLimits limits, int blockSize, IAttentionKernels aiter, IAttentionKernels? persistent,
        CancellationToken cancellationToken)
    {
        (int Rows, int Length)[] steps = [.. Steps(primitive, limits)];
        using var trial = AiterTrial.Create(primitive, gpu, spec, blockSize, steps.Max(step => step.Rows), steps.Max(step => step.Length));
        IAttentionKernels[] all = persistent is null ? [aiter, own] : [aiter, own, persistent];
        long scratch = steps.Max(step => all.Max(kernels => trial.ScratchBytes(kernels, step.Rows, step.Length)));
        using var context = (HipContext)gpu.CreateContext(scratch);
        var times = new List<KernelTime>();
        foreach ((int rows, int length) in steps)
        {
            cancellationToken.ThrowIfCancellationRequested();
            trial.Prepare(context, rows, length);
            double[] best = [.. all.Select(kernels =>
            {
                trial.Plan(kernels, context, rows, length);
                return store.Best(context, () => trial.Run(kernels, context, rows, length));
            })];
            times.Add(new KernelTime(rows, length, best[0], best[1], persistent is null ? null : best[2]));
        }

        return new KernelTimes(times);
    }
}
