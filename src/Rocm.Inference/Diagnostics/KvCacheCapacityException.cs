namespace Rocm.Inference;

/// <summary>
/// A request can never fit into the key/value cache, not even alone: its prompt plus its largest output needs more room than the whole
/// cache has. Only this request fails, before any compute.
/// </summary>
public class KvCacheCapacityException : RocmInferenceException
{
    /// <summary>Creates the exception with a generic message.</summary>
    public KvCacheCapacityException()
        : base("The request can never fit into the KV cache.")
    {
    }

    /// <summary>Creates the exception.</summary>
    /// <param name="message">What was expected, what was found, what to do.</param>
    public KvCacheCapacityException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception.</summary>
    /// <param name="message">What was expected, what was found, what to do.</param>
    /// <param name="innerException">The cause.</param>
    public KvCacheCapacityException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }

    /// <summary>Creates the exception with the numbers; the message is composed of them.</summary>
    /// <param name="neededTokens">Tokens the request may have to keep in the cache: prompt plus largest output.</param>
    /// <param name="availableTokens">Tokens of one request that the whole cache can hold.</param>
    public KvCacheCapacityException(int neededTokens, int availableTokens)
        : base($"The request may need {neededTokens} tokens of KV cache, but the whole cache holds at most {availableTokens} tokens of one " +
            "request. Shorten the prompt, lower the number of new tokens, or give the KV cache more memory.")
    {
        NeededTokens = neededTokens;
        AvailableTokens = availableTokens;
    }

    /// <summary>Tokens the request may have to keep in the cache: prompt plus largest output.</summary>
    public int NeededTokens { get; }

    /// <summary>Tokens of one request that the whole cache can hold.</summary>
    public int AvailableTokens { get; }
}
