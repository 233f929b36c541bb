namespace Rocm.Inference.Native.Interop;

/// <summary>hipFunction_attribute.</summary>
internal enum HipFunctionAttribute
{
    MaxThreadsPerBlock = 0,
    SharedSizeBytes = 1,
    LocalSizeBytes = 3,
    NumRegs = 4,
}
