namespace Rocm.Inference.Engine;

/// <summary>Text to ids and back, as the engine needs it.</summary>
internal interface ITextCodec
{
    /// <summary>Thread-safe.</summary>
    int[] Encode(string text, bool addSpecialTokens, bool allowSpecialTokens);

    /// <summary>
    /// Makes the decoder of one answer: text that goes on where the prompt ends, with a space in between where the tokens say so.
    /// </summary>
    IDetokenizer CreateDetokenizer(ReadOnlySpan<int> prompt);
}

/// <summary>Decodes one answer, token by token. Returned spans are valid until the next call.</summary>
internal interface IDetokenizer
{
    /// <summary>Text that the token completes; empty while a character is unfinished. Special tokens have no text.</summary>
    ReadOnlySpan<char> Append(int id);

    /// <summary>What is left at the end: replacement characters for an unfinished character.</summary>
    ReadOnlySpan<char> Flush();
}
