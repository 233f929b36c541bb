using System.Runtime.InteropServices;

namespace Rocm.Inference.Native.Interop;

/// <summary>
/// Imports of libamdhip64 under their own names; each returns a hipError_t. They are bound by <see cref="RocmLibraryResolver"/>:
/// load <see cref="RocmLibrary.Hip"/> before the first call.
/// </summary>
internal static unsafe partial class HipApi
{
    [LibraryImport(RocmLibrary.HipName)]
    internal static partial int hipInit(uint flags);

    [LibraryImport(RocmLibrary.HipName)]
    internal static partial int hipRuntimeGetVersion(int* version);

    [LibraryImport(RocmLibrary.HipName)]
    internal static partial int hipDriverGetVersion(int* version);

    /// <summary>Static text owned by the library, or null.</summary>
    [LibraryImport(RocmLibrary.HipName)]
    internal static partial byte* hipGetErrorName(int error);

    /// <summary>Static text owned by the library, or null.</summary>
    [LibraryImport(RocmLibrary.HipName)]
    internal static partial byte* hipGetErrorString(int error);

    /// <summary>Returns the calling thread's last error and forgets it.</summary>
    [LibraryImport(RocmLibrary.HipName)]
    internal static partial int hipGetLastError();
}
