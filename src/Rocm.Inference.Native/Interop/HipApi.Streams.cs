using System.Runtime.InteropServices;
using Rocm.Inference.Native.Handles;

namespace Rocm.Inference.Native.Interop;

internal static unsafe partial class HipApi
{
    /// <summary>hipStreamNonBlocking: the stream does not wait for the null stream, which the host may use for its own work.</summary>
    internal const uint StreamNonBlocking = 1;

    /// <summary>hipStreamCaptureModeThreadLocal: other threads may go on allocating and freeing while this one captures.</summary>
    internal const int CaptureThreadLocal = 1;

    [LibraryImport(RocmLibrary.HipName)]
    internal static partial int hipStreamCreateWithFlags(nint* stream, uint flags);

    [LibraryImport(RocmLibrary.HipName)]
    internal static partial int hipStreamDestroy(nint stream);

    [LibraryImport(RocmLibrary.HipName)]
    internal static partial int hipStreamSynchronize(StreamHandle stream);

    [LibraryImport(RocmLibrary.HipName)]
    internal static partial int hipStreamQuery(StreamHandle stream);

    [LibraryImport(RocmLibrary.HipName)]
    internal static partial int hipStreamWaitEvent(StreamHandle stream, EventHandle @event, uint flags);

    [LibraryImport(RocmLibrary.HipName)]
    internal static partial int hipStreamBeginCapture(StreamHandle stream, int mode);

    [LibraryImport(RocmLibrary.HipName)]
    internal static partial int hipStreamEndCapture(StreamHandle stream, nint* graph);
}
