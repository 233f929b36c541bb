using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Interop;

namespace Rocm.Inference.Native.Rccl;

/// <summary>From an ncclResult_t to an exception.</summary>
internal static unsafe class RcclStatus
{
    internal static void ThrowIfFailed(int result, int? device, [CallerArgumentExpression(nameof(result))] string call = "")
    {
        if (result == 0) return;
        string name = Marshal.PtrToStringUTF8((nint)RcclApi.ncclGetErrorString(result)) ?? "unknown RCCL error";
        throw new HipException(result, name, "", HipStatus.NameOfFunction(call), device);
    }
}
