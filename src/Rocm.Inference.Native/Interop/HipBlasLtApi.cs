using System.Runtime.InteropServices;
using Rocm.Inference.Native.Handles;

namespace Rocm.Inference.Native.Interop;

/// <summary>Imports of libhipblaslt (ROCm 6 and later) under their own names; each returns a hipblasStatus_t.</summary>
internal static unsafe partial class HipBlasLtApi
{
    [LibraryImport(RocmLibrary.HipBlasLtName)]
    internal static partial int hipblasLtCreate(nint* handle);

    [LibraryImport(RocmLibrary.HipBlasLtName)]
    internal static partial int hipblasLtDestroy(nint handle);

    [LibraryImport(RocmLibrary.HipBlasLtName)]
    internal static partial int hipblasLtGetVersion(BlasLtHandle handle, int* version);

    [LibraryImport(RocmLibrary.HipBlasLtName)]
    internal static partial int hipblasLtMatmulDescCreate(nint* descriptor, int computeType, HipDataType scaleType);

    [LibraryImport(RocmLibrary.HipBlasLtName)]
    internal static partial int hipblasLtMatmulDescDestroy(nint descriptor);

    [LibraryImport(RocmLibrary.HipBlasLtName)]
    internal static partial int hipblasLtMatmulDescSetAttribute(BlasLtMatmulDescHandle descriptor, int attribute, void* value, nuint bytes);

    [LibraryImport(RocmLibrary.HipBlasLtName)]
    internal static partial int hipblasLtMatrixLayoutCreate(nint* layout, HipDataType type, ulong rows, ulong columns, long leadingDimension);

    [LibraryImport(RocmLibrary.HipBlasLtName)]
    internal static partial int hipblasLtMatrixLayoutDestroy(nint layout);

    [LibraryImport(RocmLibrary.HipBlasLtName)]
    internal static partial int hipblasLtMatmulPreferenceCreate(nint* preference);

    [LibraryImport(RocmLibrary.HipBlasLtName)]
    internal static partial int hipblasLtMatmulPreferenceDestroy(nint preference);

    [LibraryImport(RocmLibrary.HipBlasLtName)]
    internal static partial int hipblasLtMatmulPreferenceSetAttribute(BlasLtPreferenceHandle preference, int attribute, void* value, nuint bytes);

    [LibraryImport(RocmLibrary.HipBlasLtName)]
    internal static partial int hipblasLtMatmulAlgoGetHeuristic(
        BlasLtHandle handle, BlasLtMatmulDescHandle descriptor, BlasLtLayoutHandle a, BlasLtLayoutHandle b, BlasLtLayoutHandle c, BlasLtLayoutHandle d,
        BlasLtPreferenceHandle preference, int requested, HipBlasLtHeuristicResult* results, int* found);

    [LibraryImport(RocmLibrary.HipBlasLtName)]
    internal static partial int hipblasLtMatmul(
        BlasLtHandle handle, BlasLtMatmulDescHandle descriptor, void* alpha, nint a, BlasLtLayoutHandle aLayout, nint b, BlasLtLayoutHandle bLayout,
        void* beta, nint c, BlasLtLayoutHandle cLayout, nint d, BlasLtLayoutHandle dLayout, HipBlasLtAlgo* algorithm, nint workspace,
        nuint workspaceBytes, StreamHandle stream);
}
