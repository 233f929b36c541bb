namespace Rocm.Inference.Native.Interop;

/// <summary>Keys of the "extra" list of hipModuleLaunchKernel.</summary>
internal static class HipLaunchParam
{
    internal const nint BufferPointer = 1;
    internal const nint BufferSize = 2;
    internal const nint End = 3;
}
