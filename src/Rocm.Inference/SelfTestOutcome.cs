namespace Rocm.Inference;

/// <summary>What became of one check of a self-test.</summary>
public enum SelfTestOutcome
{
    /// <summary>Every element is within the allowed error, and nothing outside the result was written.</summary>
    Passed,

    /// <summary>The result is wrong, or the kernel failed.</summary>
    Failed,

    /// <summary>The device has no kernel for this.</summary>
    NotSupported,
}
