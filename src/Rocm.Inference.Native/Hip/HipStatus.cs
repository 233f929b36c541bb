using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Rocm.Inference.Native.Interop;

namespace Rocm.Inference.Native.Hip;

/// <summary>The values of hipError_t that decide something here, and the one way from a status to an exception.</summary>
internal static class HipStatus
{
    internal const int Success = 0;
    internal const int OutOfMemory = 2;
    internal const int NoDevice = 100;
    internal const int InvalidDevice = 101;
    internal const int InvalidImage = 200;
    internal const int NoBinaryForGpu = 209;
    internal const int UncorrectableEcc = 214;
    internal const int NotReady = 600;
    internal const int IllegalAddress = 700;
    internal const int LaunchTimeout = 702;
    internal const int Assert = 710;
    internal const int LaunchFailure = 719;
    internal const int GraphExecUpdateFailure = 910;

    /// <summary>Throws <see cref="HipException"/> unless the status is success.</summary>
    /// <param name="status">What the call returned.</param>
    /// <param name="device">Ordinal of the device concerned, if any.</param>
    /// <param name="call">The call's text, filled in by the compiler.</param>
    internal static void ThrowIfFailed(int status, int? device = null, [CallerArgumentExpression(nameof(status))] string call = "")
    {
        if (status != Success) Throw(status, device, "", call);
    }

    /// <summary>Throws unless the status is success, with more to say than the runtime does.</summary>
    /// <param name="status">What the call returned.</param>
    /// <param name="device">Ordinal of the device concerned.</param>
    /// <param name="detail">Sentences that explain the failure; asked for only then.</param>
    /// <param name="call">The call's text, filled in by the compiler.</param>
    internal static void ThrowIfFailed(int status, int device, Func<string> detail, [CallerArgumentExpression(nameof(status))] string call = "")
    {
        if (status != Success) Throw(status, device, detail(), call);
    }

    /// <summary>The same for a call that allocates memory, whose failure is told with the numbers.</summary>
    /// <param name="status">What the call returned.</param>
    /// <param name="requestedBytes">What was asked for.</param>
    /// <param name="device">Ordinal of the device, which is current.</param>
    /// <param name="call">The call's text, filled in by the compiler.</param>
    internal static void ThrowIfNotAllocated(int status, long requestedBytes, int device, [CallerArgumentExpression(nameof(status))] string call = "")
    {
        if (status == Success) return;
        if (status != OutOfMemory) Throw(status, device, "", call);
        (string name, string text) = Take(status);
        throw new HipOutOfMemoryException(name, text, NameOfFunction(call), device, requestedBytes, FreeMemory());
    }

    /// <summary>"hipErrorNoDevice (100): no ROCm-capable device is detected".</summary>
    internal static string Describe(int status)
    {
        string name = NameOf(status), text = TextOf(status);
        string code = status.ToString(CultureInfo.InvariantCulture);
        // Runtimes before ROCm 5.3 answer the name where the text is asked for.
        return text.Length == 0 || text == name ? $"{name} ({code})" : $"{name} ({code}): {text}";
    }

    /// <summary>After these the device's state is unknown: every later call on it fails, and nothing it computed may be used.</summary>
    internal static bool IsDeviceFault(int status) => status is UncorrectableEcc or IllegalAddress or LaunchTimeout or Assert or LaunchFailure;

    [DoesNotReturn]
    private static void Throw(int status, int? device, string detail, string call)
    {
        (string name, string text) = Take(status);
        string function = NameOfFunction(call);
        if (status == OutOfMemory) throw new HipOutOfMemoryException(name, text, function, device, requestedBytes: 0, free: null);
        throw new HipException(status, name, text, function, device, detail) { IsDeviceFault = IsDeviceFault(status) };
    }

    // Libraries that launch kernels of their own on this thread ask for the last error afterwards and would take this one for theirs.
    private static (string Name, string Text) Take(int status)
    {
        _ = HipApi.hipGetLastError();
        return (NameOf(status), TextOf(status));
    }

    private static unsafe (long Free, long Total)? FreeMemory()
    {
        nuint free, total;
        return HipApi.hipMemGetInfo(&free, &total) == Success ? ((long)free, (long)total) : null;
    }

    private static unsafe string NameOf(int status) =>
        Marshal.PtrToStringUTF8((nint)HipApi.hipGetErrorName(status)) is { Length: > 0 } name ? name : "unknown HIP error";

    private static unsafe string TextOf(int status) => Marshal.PtrToStringUTF8((nint)HipApi.hipGetErrorString(status)) ?? "";

    /// <summary>"hipMalloc" of "HipApi.hipMalloc(&amp;pointer, bytes)".</summary>
    internal static string NameOfFunction(string call)
    {
        int end = call.IndexOf('(', StringComparison.Ordinal);
        string path = end < 0 ? call : call[..end];
        return path[(path.LastIndexOf('.') + 1)..];
    }
}
