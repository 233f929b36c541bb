using System.Runtime.InteropServices;
using Rocm.Inference.Native.Handles;

namespace Rocm.Inference.Native.Interop;

internal static unsafe partial class HipApi
{
    /// <summary>hipEventDisableTiming: an event that only orders is cheaper to record.</summary>
    internal const uint EventDisableTiming = 2;

    [LibraryImport(RocmLibrary.HipName)]
    internal static partial int hipEventCreateWithFlags(nint* @event, uint flags);

    [LibraryImport(RocmLibrary.HipName)]
    internal static partial int hipEventDestroy(nint @event);

    [LibraryImport(RocmLibrary.HipName)]
    internal static partial int hipEventRecord(EventHandle @event, StreamHandle stream);

    [LibraryImport(RocmLibrary.HipName)]
    internal static partial int hipEventSynchronize(EventHandle @event);

    [LibraryImport(RocmLibrary.HipName)]
    internal static partial int hipEventQuery(EventHandle @event);

    [LibraryImport(RocmLibrary.HipName)]
    internal static partial int hipEventElapsedTime(float* milliseconds, EventHandle start, EventHandle stop);
}
