using System.Text;

namespace Rocm.Inference;

/// <summary>A model folder, or a file in it, cannot be used: missing, damaged, inconsistent or of an unknown kind.</summary>
public class ModelLoadException : RocmInferenceException
{
    /// <summary>Creates the exception with a generic message.</summary>
    public ModelLoadException()
        : base("The model cannot be loaded.")
    {
    }

    /// <summary>Creates the exception.</summary>
    /// <param name="message">What is wrong and what to do.</param>
    public ModelLoadException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception.</summary>
    /// <param name="message">What is wrong and what to do.</param>
    /// <param name="innerException">The cause.</param>
    public ModelLoadException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }

    /// <summary>Creates the exception with the place and the facts; the message is composed of them.</summary>
    /// <param name="message">What is wrong, without the place.</param>
    /// <param name="file">Path of the offending file or folder.</param>
    /// <param name="tensor">Name of the offending tensor, field or token, if any.</param>
    /// <param name="expected">What would have been accepted, if known.</param>
    /// <param name="found">What the file has instead, if known.</param>
    /// <param name="innerException">The cause, if any.</param>
    public ModelLoadException(
        string message, string? file, string? tensor = null, string? expected = null, string? found = null, Exception? innerException = null)
        : base(Compose(message, file, tensor, expected, found), innerException)
    {
        File = file;
        Tensor = tensor;
        Expected = expected;
        Found = found;
    }

    /// <summary>Path of the offending file or folder, or null.</summary>
    public string? File { get; }

    /// <summary>Name of the offending tensor, field or token, or null.</summary>
    public string? Tensor { get; }

    /// <summary>What would have been accepted, or null.</summary>
    public string? Expected { get; }

    /// <summary>What the file has instead, or null.</summary>
    public string? Found { get; }

    private static string Compose(string message, string? file, string? tensor, string? expected, string? found)
    {
        var text = new StringBuilder(message);
        if (tensor is not null) text.Append(" [").Append(tensor).Append(']');
        if (expected is not null) text.Append(" Expected: ").Append(expected).Append('.');
        if (found is not null) text.Append(" Found: ").Append(found).Append('.');
        if (file is not null) text.Append(" File: ").Append(file);
        return text.ToString();
    }
}
