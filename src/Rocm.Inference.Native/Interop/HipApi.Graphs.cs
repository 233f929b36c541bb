using System.Runtime.InteropServices;
using Rocm.Inference.Native.Handles;

namespace Rocm.Inference.Native.Interop;

internal static unsafe partial class HipApi
{
    [LibraryImport(RocmLibrary.HipName)]
    internal static partial int hipGraphDestroy(nint graph);

    /// <summary>Writes the number of nodes when <paramref name="nodes"/> is null.</summary>
    [LibraryImport(RocmLibrary.HipName)]
    internal static partial int hipGraphGetNodes(GraphHandle graph, nint* nodes, nuint* count);

    [LibraryImport(RocmLibrary.HipName)]
    internal static partial int hipGraphInstantiate(nint* executable, GraphHandle graph, nint* errorNode, byte* log, nuint logBytes);

    [LibraryImport(RocmLibrary.HipName)]
    internal static partial int hipGraphExecUpdate(GraphExecHandle executable, GraphHandle graph, nint* errorNode, int* result);

    [LibraryImport(RocmLibrary.HipName)]
    internal static partial int hipGraphLaunch(GraphExecHandle executable, StreamHandle stream);

    [LibraryImport(RocmLibrary.HipName)]
    internal static partial int hipGraphExecDestroy(nint executable);
}
