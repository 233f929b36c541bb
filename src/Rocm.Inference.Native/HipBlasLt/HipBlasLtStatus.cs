using System.Runtime.CompilerServices;
using Rocm.Inference.Native.Hip;

namespace Rocm.Inference.Native.HipBlasLt;

/// <summary>From a hipblasStatus_t to an exception; the library has no function that names its codes.</summary>
internal static class HipBlasLtStatus
{
    internal const int Success = 0;
    internal const int AllocationFailed = 2;

    internal static void ThrowIfFailed(int status, int device, [CallerArgumentExpression(nameof(status))] string call = "")
    {
        if (status == Success) return;
        string function = HipStatus.NameOfFunction(call), name = NameOf(status);
        if (status == AllocationFailed) throw new HipOutOfMemoryException(name, "", function, device, requestedBytes: 0, free: null, code: status);
        throw new HipException(status, name, "", function, device);
    }

    private static string NameOf(int status) => status switch
    {
        1 => "HIPBLAS_STATUS_NOT_INITIALIZED",
        2 => "HIPBLAS_STATUS_ALLOC_FAILED",
        3 => "HIPBLAS_STATUS_INVALID_VALUE",
        4 => "HIPBLAS_STATUS_MAPPING_ERROR",
        5 => "HIPBLAS_STATUS_EXECUTION_FAILED",
        6 => "HIPBLAS_STATUS_INTERNAL_ERROR",
        7 => "HIPBLAS_STATUS_NOT_SUPPORTED",
        8 => "HIPBLAS_STATUS_ARCH_MISMATCH",
        9 => "HIPBLAS_STATUS_HANDLE_IS_NULLPTR",
        10 => "HIPBLAS_STATUS_INVALID_ENUM",
        11 => "HIPBLAS_STATUS_UNKNOWN",
        _ => "unknown hipBLAS status",
    };
}
