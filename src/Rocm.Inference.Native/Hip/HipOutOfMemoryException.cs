using System.Globalization;
using Rocm.Inference.Native.Hip;

namespace Rocm.Inference;

/// <summary>A GPU, or the host memory that it shares, has no room for what was asked.</summary>
public sealed class HipOutOfMemoryException : HipException
{
    /// <summary>Creates the exception with a generic message.</summary>
    public HipOutOfMemoryException()
        : base("The GPU is out of memory.")
    {
    }

    /// <summary>Creates the exception.</summary>
    /// <param name="message">Which call failed and why.</param>
    public HipOutOfMemoryException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception.</summary>
    /// <param name="message">Which call failed and why.</param>
    /// <param name="innerException">The cause.</param>
    public HipOutOfMemoryException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }

    internal HipOutOfMemoryException(
        string name, string text, string call, int? device, long requestedBytes, (long Free, long Total)? free, int code = HipStatus.OutOfMemory)
        : base(code, name, text, call, device, Explain(requestedBytes, free))
    {
        RequestedBytes = requestedBytes;
    }

    /// <summary>What was asked for, in bytes, or 0 when the call allocates something of its own.</summary>
    public long RequestedBytes { get; }

    private static string Explain(long requestedBytes, (long Free, long Total)? free)
    {
        string asked = requestedBytes > 0 ? string.Create(CultureInfo.InvariantCulture, $"{requestedBytes} bytes were asked for") : "";
        string left = free is { } memory ? string.Create(CultureInfo.InvariantCulture, $"{memory.Free} of {memory.Total} bytes are free") : "";
        string[] parts = [.. new[] { asked, left }.Where(part => part.Length > 0)];
        return parts.Length == 0 ? "" : string.Join("; ", parts) + ".";
    }
}
