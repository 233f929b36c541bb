namespace Rocm.Inference.Native.Interop;

/// <summary>hipDataType of ROCm 6 and later; hipBLASLt of ROCm 5 has other numbers and is not used.</summary>
internal enum HipDataType
{
    Float32 = 0,
    Float16 = 2,
    BFloat16 = 14,
}
