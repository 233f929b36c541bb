namespace Rocm.Inference.Native.Interop;

/// <summary>Values of hipDeviceAttribute_t, the same from ROCm 5.0 to 7.</summary>
internal enum HipDeviceAttribute
{
    Integrated = 16,
    MultiprocessorCount = 63,
    WarpSize = 87,
}
