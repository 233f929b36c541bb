namespace Rocm.Inference;

/// <summary>The device that was asked for cannot be used on this machine.</summary>
public sealed class DeviceNotAvailableException : RocmInferenceException
{
    /// <summary>Creates the exception with a generic message.</summary>
    public DeviceNotAvailableException()
        : base("The device is not available.")
    {
    }

    /// <summary>Creates the exception.</summary>
    /// <param name="message">What was asked and what to do.</param>
    public DeviceNotAvailableException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception.</summary>
    /// <param name="message">What was asked and what to do.</param>
    /// <param name="innerException">The cause.</param>
    public DeviceNotAvailableException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }

    /// <summary>Creates the exception with everything that was tried; the message lists it.</summary>
    /// <param name="message">What was asked and what to do.</param>
    /// <param name="reasons">Each path or step tried, with what came of it.</param>
    public DeviceNotAvailableException(string message, IReadOnlyList<string> reasons)
        : base(reasons is { Count: > 0 } ? $"{message} Tried:{string.Concat(reasons.Select(r => $"{Environment.NewLine}  {r}"))}" : message)
    {
        Reasons = reasons ?? [];
    }

    /// <summary>Each path or step tried, with what came of it.</summary>
    public IReadOnlyList<string> Reasons { get; } = [];
}
