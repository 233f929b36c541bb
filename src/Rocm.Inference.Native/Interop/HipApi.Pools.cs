using System.Runtime.InteropServices;
using Rocm.Inference.Native.Handles;

namespace Rocm.Inference.Native.Interop;

internal static unsafe partial class HipApi
{
    [LibraryImport(RocmLibrary.HipName)]
    internal static partial int hipMemPoolCreate(nint* pool, HipMemPoolProps* properties);

    [LibraryImport(RocmLibrary.HipName)]
    internal static partial int hipMemPoolDestroy(nint pool);

    [LibraryImport(RocmLibrary.HipName)]
    internal static partial int hipMemPoolSetAttribute(MemoryPoolHandle pool, HipMemPoolAttribute attribute, void* value);

    [LibraryImport(RocmLibrary.HipName)]
    internal static partial int hipMemPoolGetAttribute(MemoryPoolHandle pool, HipMemPoolAttribute attribute, void* value);

    [LibraryImport(RocmLibrary.HipName)]
    internal static partial int hipMemPoolTrimTo(MemoryPoolHandle pool, nuint minBytes);

    [LibraryImport(RocmLibrary.HipName)]
    internal static partial int hipMallocFromPoolAsync(nint* pointer, nuint bytes, MemoryPoolHandle pool, StreamHandle stream);

    /// <summary>The stream as a bare pointer: the caller is a handle's release, which holds the stream by a counted reference.</summary>
    [LibraryImport(RocmLibrary.HipName)]
    internal static partial int hipFreeAsync(nint pointer, nint stream);
}
