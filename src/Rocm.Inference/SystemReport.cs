using Rocm.Inference.Diagnostics;
using Rocm.Inference.Engine;

namespace Rocm.Inference;

/// <summary>
/// What this machine offers to a session, without a model: the processor, the HIP runtime and its GPUs, and AITER, each with what was tried and why it cannot
/// be used. <see cref="ToString"/> is the report as text.
/// </summary>
public sealed record SystemReport
{
    /// <summary>The CPU device, which is always there.</summary>
    public required DeviceInfo Processor { get; init; }

    /// <summary>The file of the HIP runtime that was loaded; null when none could be.</summary>
    public string? HipPath { get; init; }

    /// <summary>Version of the HIP runtime; null when none was loaded or it does not answer.</summary>
    public Version? HipVersion { get; init; }

    /// <summary>Version of hipRTC, which compiles kernels that the package does not hold; null when there is no GPU or no hipRTC.</summary>
    public Version? HiprtcVersion { get; init; }

    /// <summary>Where compiled kernels are kept.</summary>
    public required string KernelCacheFolder { get; init; }

    /// <summary>GPUs that answered, in the order in which they are taken.</summary>
    public required IReadOnlyList<GpuInfo> Gpus { get; init; }

    /// <summary>Why the HIP runtime, or one of its GPUs, cannot be used, a sentence each; empty when all is well.</summary>
    public required IReadOnlyList<string> HipProblems { get; init; }

    /// <summary>Every place where the HIP runtime was looked for, with what came of it.</summary>
    public required IReadOnlyList<string> HipAttempts { get; init; }

    /// <summary>AITER's kernels.</summary>
    public required AiterReport Aiter { get; init; }

    /// <summary>Looks at the machine. Takes some tenths of a second; opens no GPU and loads no kernel.</summary>
    /// <param name="options">Where AITER is, which of its kernels may run and how many threads the CPU device has; null for the defaults.</param>
    public static SystemReport Create(InferenceSessionOptions? options = null) => SystemSurvey.Of(options ?? new InferenceSessionOptions());

    /// <inheritdoc/>
    public override string ToString() => SystemReportText.Of(this);
}
