namespace Rocm.Inference;

/// <summary>What a self-test runs.</summary>
public sealed class SelfTestOptions
{
    /// <summary>Size of the operands.</summary>
    public SelfTestSize Size { get; set; }

    /// <summary>Names of the kernels to check, as in <see cref="SelfTestResult.Kernel"/>, in any case.</summary>
    /// <value>Default: all.</value>
    public IReadOnlyCollection<string>? Kernels { get; set; }

    /// <summary>Seed of all operands: the same seed gives the same operands on every device that has the same activation type.</summary>
    public int Seed { get; set; } = 1;

    /// <summary>Timed runs of each kernel after the one that is checked; the median counts.</summary>
    /// <value>Default: 5. 0 = no times.</value>
    public int NumTimedRuns { get; set; } = 5;
}
