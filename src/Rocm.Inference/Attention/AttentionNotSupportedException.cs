
namespace Rocm.Inference;

/// <summary>No attention backend fits the model, or the one that was asked for does not.</summary>
public sealed class AttentionNotSupportedException : RocmInferenceException
{
    /// <summary>Creates the exception with a generic message.</summary>
    public AttentionNotSupportedException()
        : base("No attention backend fits the model.")
    {
    }

    /// <summary>Creates the exception.</summary>
    /// <param name="message">What was asked and every reason against it.</param>
    public AttentionNotSupportedException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception.</summary>
    /// <param name="message">What was asked and every reason against it.</param>
    /// <param name="innerException">The cause.</param>
    public AttentionNotSupportedException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }

    /// <summary>The reasons, one line each, beginning with the backend's name.</summary>
    public IReadOnlyList<string> Reasons { get; init; } = [];
}
