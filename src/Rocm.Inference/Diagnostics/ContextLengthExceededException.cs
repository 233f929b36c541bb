namespace Rocm.Inference;

/// <summary>
/// A prompt, or prompt and asked-for answer together, is longer than the session accepts. Thrown before anything is computed.
/// </summary>
public sealed class ContextLengthExceededException : RocmInferenceException
{
    /// <summary>Creates the exception with a generic message.</summary>
    public ContextLengthExceededException()
        : base("The prompt is longer than the context.")
    {
    }

    /// <summary>Creates the exception.</summary>
    /// <param name="message">What was asked, what is accepted, what to change.</param>
    public ContextLengthExceededException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception.</summary>
    /// <param name="message">What was asked, what is accepted, what to change.</param>
    /// <param name="innerException">The cause.</param>
    public ContextLengthExceededException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }

    /// <summary>Creates the exception of the three numbers.</summary>
    /// <param name="promptTokens">Tokens of the prompt.</param>
    /// <param name="maxNewTokens">Tokens asked for, or null.</param>
    /// <param name="maxModelLen">Longest sequence accepted.</param>
    public ContextLengthExceededException(int promptTokens, int? maxNewTokens, int maxModelLen)
        : base(Compose(promptTokens, maxNewTokens, maxModelLen))
    {
        PromptTokens = promptTokens;
        MaxNewTokens = maxNewTokens;
        MaxModelLen = maxModelLen;
    }

    /// <summary>Tokens of the prompt.</summary>
    public int PromptTokens { get; }

    /// <summary><see cref="GenerationOptions.MaxNewTokens"/> as given, or null.</summary>
    public int? MaxNewTokens { get; }

    /// <summary>Longest sequence that the session accepts, prompt and answer together.</summary>
    public int MaxModelLen { get; }

    private static string Compose(int promptTokens, int? maxNewTokens, int maxModelLen) => maxNewTokens is int asked
        ? $"The prompt has {promptTokens} tokens and up to {asked} new ones are asked for, but the session accepts {maxModelLen} in all. "
            + "Shorten the prompt, lower MaxNewTokens, or raise MaxModelLen."
        : $"The prompt has {promptTokens} tokens, but the session accepts {maxModelLen} in all, of which at least one must be new. "
            + "Shorten the prompt or raise MaxModelLen.";
}
