namespace Rocm.Inference;

/// <summary>
/// Base of every error that a caller of this library may want to catch, besides argument errors
/// (<see cref="ArgumentException"/>), options errors and <see cref="OperationCanceledException"/>.
/// </summary>
public class RocmInferenceException : Exception
{
    /// <summary>Creates the exception with a generic message.</summary>
    public RocmInferenceException()
        : base("Inference failed.")
    {
    }

    /// <summary>Creates the exception.</summary>
    /// <param name="message">What was expected, what was found, what to do.</param>
    public RocmInferenceException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception.</summary>
    /// <param name="message">What was expected, what was found, what to do.</param>
    /// <param name="innerException">The cause.</param>
    public RocmInferenceException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }
}
