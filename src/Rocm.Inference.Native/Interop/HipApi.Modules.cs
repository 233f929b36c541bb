using System.Runtime.InteropServices;
using Rocm.Inference.Native.Handles;

namespace Rocm.Inference.Native.Interop;

internal static unsafe partial class HipApi
{
    [LibraryImport(RocmLibrary.HipName)]
    internal static partial int hipModuleLoadData(nint* module, void* image);

    [LibraryImport(RocmLibrary.HipName)]
    internal static partial int hipModuleUnload(nint module);

    [LibraryImport(RocmLibrary.HipName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int hipModuleGetFunction(nint* function, HipModuleHandle module, string name);

    [LibraryImport(RocmLibrary.HipName)]
    internal static partial int hipFuncGetAttribute(int* value, HipFunctionAttribute attribute, FunctionHandle function);

    [LibraryImport(RocmLibrary.HipName)]
    internal static partial int hipModuleOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, FunctionHandle function, int blockSize, nuint sharedBytes);

    /// <summary>Grid in blocks, block in threads; <paramref name="extra"/> is the list of HIP_LAUNCH_PARAM entries.</summary>
    [LibraryImport(RocmLibrary.HipName)]
    internal static partial int hipModuleLaunchKernel(
        FunctionHandle function, uint gridX, uint gridY, uint gridZ, uint blockX, uint blockY, uint blockZ, uint sharedBytes, StreamHandle stream,
        void** parameters, void** extra);
}
