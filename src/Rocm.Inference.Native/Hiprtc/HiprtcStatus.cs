using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Interop;

namespace Rocm.Inference.Native.Hiprtc;

/// <summary>From a hiprtcResult to an exception.</summary>
internal static unsafe class HiprtcStatus
{
    internal const int Success = 0;
    internal const int OutOfMemory = 1;
    internal const int Compilation = 6;

    internal static void ThrowIfFailed(int result, string detail = "", [CallerArgumentExpression(nameof(result))] string call = "")
    {
        if (result == Success) return;
        string name = Marshal.PtrToStringUTF8((nint)HiprtcApi.hiprtcGetErrorString(result)) ?? "unknown hipRTC error";
        string function = HipStatus.NameOfFunction(call);
        if (result == OutOfMemory) throw new HipOutOfMemoryException(name, "", function, device: null, requestedBytes: 0, free: null, code: result);
        throw new HipException(result, name, "", function, device: null, detail);
    }
}
