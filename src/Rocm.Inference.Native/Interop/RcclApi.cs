using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Rocm.Inference.Native.Handles;

namespace Rocm.Inference.Native.Interop;

/// <summary>Imports of librccl under their own names; each returns an ncclResult_t.</summary>
internal static unsafe partial class RcclApi
{
    [LibraryImport(RocmLibrary.RcclName)]
    internal static partial int ncclGetVersion(int* version);

    /// <summary>Static text owned by the library.</summary>
    [LibraryImport(RocmLibrary.RcclName)]
    internal static partial byte* ncclGetErrorString(int result);

    [LibraryImport(RocmLibrary.RcclName)]
    internal static partial int ncclGetUniqueId(RcclUniqueId* id);

    [LibraryImport(RocmLibrary.RcclName)]
    internal static partial int ncclCommInitRank(nint* communicator, int ranks, RcclUniqueId id, int rank);

    [LibraryImport(RocmLibrary.RcclName)]
    internal static partial int ncclCommDestroy(nint communicator);

    [LibraryImport(RocmLibrary.RcclName)]
    internal static partial int ncclCommGetAsyncError(CommunicatorHandle communicator, int* result);

    [LibraryImport(RocmLibrary.RcclName)]
    internal static partial int ncclAllReduce(
        nint source, nint destination, nuint count, RcclDataType type, int operation, CommunicatorHandle communicator, StreamHandle stream);

    [LibraryImport(RocmLibrary.RcclName)]
    internal static partial int ncclAllGather(
        nint source, nint destination, nuint countPerRank, RcclDataType type, CommunicatorHandle communicator, StreamHandle stream);
}

/// <summary>ncclUniqueId: what one rank makes and all ranks of a communicator are given. Passed by value.</summary>
[InlineArray(Bytes)]
internal struct RcclUniqueId
{
    internal const int Bytes = 128;
    private byte _first;
}

/// <summary>ncclDataType_t.</summary>
internal enum RcclDataType
{
    Int32 = 2,
    Float16 = 6,
    Float32 = 7,
    BFloat16 = 9,
}
