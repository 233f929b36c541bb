namespace Rocm.Inference;

/// <summary>How large the operands of a self-test are.</summary>
public enum SelfTestSize
{
    /// <summary>A few tokens and narrow layers: every path of a kernel in the shortest time. The times say nothing about speed.</summary>
    Small,

    /// <summary>Layers of real models, so that time and bytes per second mean something. Takes up to 2 GiB of device and of host memory.</summary>
    Full,
}
