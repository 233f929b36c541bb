using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Rocm.Inference.Native.Interop;

namespace Rocm.Inference.Native.Hip;

/// <summary>The values of hipError_t that decide something here, and the one way from a status to an exception.</summary>
internal static class HipStatus
{
    internal const int Success = 0;
    internal const int NoDevice = 100;
    internal const int InvalidDevice = 101;

    /// <summary>Throws <see cref="HipException"/> unless the status is success.</summary>
    /// <param name="status">What the call returned.</param>
    /// <param name="device">Ordinal of the device concerned, if any.</param>
    /// <param name="call">The call's text, filled in by the compiler.</param>
    internal static void ThrowIfFailed(int status, int? device = null, [CallerArgumentExpression(nameof(status))] string call = "")
    {
        if (status == Success) return;
        throw new HipException(status, NameOf(status), TextOf(status), NameOfFunction(call), device);
    }

    /// <summary>"hipErrorNoDevice (100): no ROCm-capable device is detected".</summary>
    internal static string Describe(int status)
    {
        string name = NameOf(status), text = TextOf(status);
        string code = status.ToString(CultureInfo.InvariantCulture);
        // Runtimes before ROCm 5.3 answer the name where the text is asked for.
        return text.Length == 0 || text == name ? $"{name} ({code})" : $"{name} ({code}): {text}";
    }

    private static unsafe string NameOf(int status) =>
        Marshal.PtrToStringUTF8((nint)HipApi.hipGetErrorName(status)) is { Length: > 0 } name ? name : "unknown HIP error";

    private static unsafe string TextOf(int status) => Marshal.PtrToStringUTF8((nint)HipApi.hipGetErrorString(status)) ?? "";

    private static string NameOfFunction(string call)
    {
        int end = call.IndexOf('(', StringComparison.Ordinal);
        string path = end < 0 ? call : call[..end];
        return path[(path.LastIndexOf('.') + 1)..];
    }
}
