namespace Rocm.Inference.Native.Aiter;

/// <summary>What attention may be asked for and none of AITER's kernels here does.</summary>
[Flags]
internal enum AiterFeatures
{
    None = 0,
    SlidingWindow = 1,
    SoftCap = 2,
    Sinks = 4,
    Alibi = 8,
}
