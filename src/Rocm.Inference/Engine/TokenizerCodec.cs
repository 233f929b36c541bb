using System.Buffers;

namespace Rocm.Inference.Engine;

/// <summary>A model's own tokenizer as the engine's codec.</summary>
internal sealed class TokenizerCodec(Tokenizer tokenizer) : ITextCodec
{
    // Enough to tell the middle of a text from its beginning, and to hold the bytes of an unfinished character.
    private const int MaxPromptTail = 16;

    public int[] Encode(string text, bool addSpecialTokens, bool allowSpecialTokens) => tokenizer.Encode(text, addSpecialTokens, allowSpecialTokens);

    public IDetokenizer CreateDetokenizer(ReadOnlySpan<int> prompt)
    {
        var result = new Detokenizer(tokenizer.CreateDetokenizer());
        foreach (int id in prompt[^Math.Min(MaxPromptTail, prompt.Length)..]) result.Append(id);
        return result;
    }

    private sealed class Detokenizer(IncrementalDetokenizer inner) : IDetokenizer
    {
        private readonly ArrayBufferWriter<char> _text = new(256);

        public ReadOnlySpan<char> Append(int id)
        {
            _text.ResetWrittenCount();
            inner.Append(id, _text);
            return _text.WrittenSpan;
        }

        public ReadOnlySpan<char> Flush()
        {
            _text.ResetWrittenCount();
            inner.Flush(_text);
            return _text.WrittenSpan;
        }
    }
}
