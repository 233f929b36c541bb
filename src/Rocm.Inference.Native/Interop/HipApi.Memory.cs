using System.Runtime.InteropServices;
using Rocm.Inference.Native.Handles;

namespace Rocm.Inference.Native.Interop;

internal static unsafe partial class HipApi
{
    [LibraryImport(RocmLibrary.HipName)]
    internal static partial int hipMalloc(nint* pointer, nuint bytes);

    [LibraryImport(RocmLibrary.HipName)]
    internal static partial int hipFree(nint pointer);

    [LibraryImport(RocmLibrary.HipName)]
    internal static partial int hipHostMalloc(nint* pointer, nuint bytes, uint flags);

    [LibraryImport(RocmLibrary.HipName)]
    internal static partial int hipHostFree(nint pointer);

    [LibraryImport(RocmLibrary.HipName)]
    internal static partial int hipMemGetInfo(nuint* free, nuint* total);

    [LibraryImport(RocmLibrary.HipName)]
    internal static partial int hipMemcpyAsync(nint destination, nint source, nuint bytes, HipMemcpyKind kind, StreamHandle stream);

    [LibraryImport(RocmLibrary.HipName)]
    internal static partial int hipMemsetAsync(nint destination, int value, nuint bytes, StreamHandle stream);
}
