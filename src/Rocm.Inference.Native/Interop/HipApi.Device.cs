using System.Runtime.InteropServices;

namespace Rocm.Inference.Native.Interop;

internal static unsafe partial class HipApi
{
    [LibraryImport(RocmLibrary.HipName)]
    internal static partial int hipGetDeviceCount(int* count);

    [LibraryImport(RocmLibrary.HipName)]
    internal static partial int hipDeviceGetName(byte* name, int capacity, int device);

    [LibraryImport(RocmLibrary.HipName)]
    internal static partial int hipDeviceTotalMem(nuint* bytes, int device);

    [LibraryImport(RocmLibrary.HipName)]
    internal static partial int hipDeviceGetAttribute(int* value, HipDeviceAttribute attribute, int device);

    /// <summary>Fills the structure of ROCm 6 and later; not exported before.</summary>
    [LibraryImport(RocmLibrary.HipName)]
    internal static partial int hipGetDevicePropertiesR0600(byte* properties, int device);

    /// <summary>Fills the structure of ROCm 5; later runtimes export it for old callers.</summary>
    [LibraryImport(RocmLibrary.HipName)]
    internal static partial int hipGetDeviceProperties(byte* properties, int device);

    /// <summary>The calling thread's current device.</summary>
    [LibraryImport(RocmLibrary.HipName)]
    internal static partial int hipGetDevice(int* device);

    [LibraryImport(RocmLibrary.HipName)]
    internal static partial int hipSetDevice(int device);

    /// <summary>Waits for all work of the current device.</summary>
    [LibraryImport(RocmLibrary.HipName)]
    internal static partial int hipDeviceSynchronize();
}
