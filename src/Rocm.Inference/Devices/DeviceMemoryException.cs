namespace Rocm.Inference;

/// <summary>The device has not enough memory; the message says how much was asked, how much is free and which option to change.</summary>
public sealed class DeviceMemoryException : RocmInferenceException
{
    /// <summary>Creates the exception with a generic message.</summary>
    public DeviceMemoryException()
        : base("The device is out of memory.")
    {
    }

    /// <summary>Creates the exception.</summary>
    /// <param name="message">What was asked, what is free, what to change.</param>
    public DeviceMemoryException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception.</summary>
    /// <param name="message">What was asked, what is free, what to change.</param>
    /// <param name="innerException">The cause.</param>
    public DeviceMemoryException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }

    /// <summary>Bytes asked for, or 0 when unknown.</summary>
    public long RequestedBytes { get; init; }

    /// <summary>Bytes free when asked, or 0 when unknown.</summary>
    public long AvailableBytes { get; init; }
}
