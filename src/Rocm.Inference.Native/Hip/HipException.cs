using System.Globalization;

namespace Rocm.Inference;

/// <summary>A call into the HIP runtime, or into one of the ROCm libraries above it, failed.</summary>
public class HipException : RocmInferenceException
{
    /// <summary>Creates the exception with a generic message.</summary>
    public HipException()
        : base("A HIP call failed.")
    {
    }

    /// <summary>Creates the exception.</summary>
    /// <param name="message">Which call failed and why.</param>
    public HipException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception.</summary>
    /// <param name="message">Which call failed and why.</param>
    /// <param name="innerException">The cause.</param>
    public HipException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }

    internal HipException(int code, string name, string text, string call, int? device, string detail = "")
        : base(Compose(code, name, text, call, device, detail))
    {
        Code = code;
        Name = name;
        Call = call;
        Device = device;
    }

    /// <summary>
    /// The hipError_t value, or 0 when the failure has none. Where <see cref="Call"/> belongs to hipRTC, hipBLASLt, RCCL or ROCm SMI, the code of
    /// that library.
    /// </summary>
    public int Code { get; }

    /// <summary>The value's name as the runtime gives it, for instance "hipErrorOutOfMemory", or null.</summary>
    public string? Name { get; }

    /// <summary>The function that failed, or null.</summary>
    public string? Call { get; }

    /// <summary>Ordinal of the device concerned, or null when the call concerns none.</summary>
    public int? Device { get; }

    /// <summary>The device is lost to this process: every later call on it fails too.</summary>
    internal bool IsDeviceFault { get; init; }

    private static string Compose(int code, string name, string text, string call, int? device, string detail)
    {
        string place = device is { } ordinal ? string.Create(CultureInfo.InvariantCulture, $" on device {ordinal}") : "";
        string why = text.Length == 0 || text == name ? "" : $" ({text})";
        string more = detail.Length == 0 ? "" : " " + detail;
        return string.Create(CultureInfo.InvariantCulture, $"{call} failed{place}: {name}, code {code}{why}.{more}");
    }
}
