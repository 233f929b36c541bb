namespace Rocm.Inference.Native.Interop;

/// <summary>hipMemPoolAttr; the values are 64 bits wide.</summary>
internal enum HipMemPoolAttribute
{
    ReleaseThreshold = 4,
    ReservedCurrent = 5,
    UsedCurrent = 7,
}
