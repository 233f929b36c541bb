namespace Rocm.Inference;

/// <summary>The outcome of a self-test of one device.</summary>
public sealed record SelfTestReport
{
    /// <summary>Name of the device.</summary>
    public required string DeviceName { get; init; }

    /// <summary>Instruction set that its kernels are written for, for example "gfx942".</summary>
    public required string Architecture { get; init; }

    /// <summary>Type that values between kernels have.</summary>
    public required DType ActivationDType { get; init; }

    /// <summary>Every check in the order in which it ran.</summary>
    public required IReadOnlyList<SelfTestResult> Results { get; init; }

    /// <summary>True when there was a check and every one of them passed.</summary>
    public bool AllPassed => Results.Count > 0 && Results.All(result => result.Passed);
}
