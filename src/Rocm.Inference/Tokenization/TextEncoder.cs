using System.Buffers;
using System.Collections.Concurrent;
using System.Text.Unicode;

namespace Rocm.Inference.Tokenization;

/// <summary>
/// Text to ids: added tokens are taken out, the rest is normalized, searched for added tokens that count there, split and merged.
/// Safe for any number of threads.
/// </summary>
internal sealed class TextEncoder
{
    private const int PooledScratches = 16;

    private readonly Normalizer? _normalizer;
    private readonly PreTokenizer _preTokenizer;
    private readonly BpeModel _model;
    private readonly Surround _surround;
    private readonly AddedTokenMatcher _rawWithSpecials;
    private readonly AddedTokenMatcher _rawWithoutSpecials;
    private readonly AddedTokenMatcher _normalizedWithSpecials;
    private readonly AddedTokenMatcher _normalizedWithoutSpecials;
    private readonly ConcurrentQueue<EncodeScratch> _pool = new();

    public TextEncoder(
        Normalizer? normalizer, PreTokenizer preTokenizer, BpeModel model, IReadOnlyList<AddedToken> addedTokens, Surround surround)
    {
        _normalizer = normalizer;
        _preTokenizer = preTokenizer;
        _model = model;
        _surround = surround;
        _rawWithSpecials = Matcher(addedTokens, normalized: false, specials: true);
        _rawWithoutSpecials = Matcher(addedTokens, normalized: false, specials: false);
        _normalizedWithSpecials = Matcher(addedTokens, normalized: true, specials: true);
        _normalizedWithoutSpecials = Matcher(addedTokens, normalized: true, specials: false);
    }

    /// <summary>Encodes a text; the ids are in the result's <see cref="EncodeScratch.Ids"/> until it is given back with <see cref="Return"/>.</summary>
    public EncodeScratch Encode(ReadOnlySpan<char> text, bool addSpecialTokens, bool allowSpecialTokensInText)
    {
        if (!_pool.TryDequeue(out var scratch)) scratch = new EncodeScratch(_model.Merges);
        scratch.Ids.Clear();
        scratch.Text.Clear();
        ToUtf8(text, scratch.Text);
        scratch.Steps = TokenizerLimits.PatternSteps + scratch.Text.Length * TokenizerLimits.PatternStepsPerByte;
        if (addSpecialTokens) scratch.Ids.Add(_surround.Before);
        EncodeText(scratch, allowSpecialTokensInText);
        if (addSpecialTokens) scratch.Ids.Add(_surround.After);
        return scratch;
    }

    public void Return(EncodeScratch scratch)
    {
        if (scratch.IsSmall && _pool.Count < PooledScratches) _pool.Enqueue(scratch);
    }

    private static void ToUtf8(ReadOnlySpan<char> text, ByteBuilder output)
    {
        var at = 0;
        while (at < text.Length)
        {
            // Three bytes per char at most; by chunks, since nearly all text needs far less. A chunk must not end inside a pair.
            const int Chunk = 1 << 16;
            var length = Math.Min(Chunk, text.Length - at);
            if (at + length < text.Length && char.IsHighSurrogate(text[at + length - 1]) && length > 1) length--;
            var status = Utf8.FromUtf16(
                text.Slice(at, length), output.Reserve(length * 3), out var read, out var written, replaceInvalidSequences: false);
            if (status != OperationStatus.Done)
            {
                throw new ArgumentException(
                    $"The text is not valid UTF-16: an unpaired surrogate (U+{(int)text[at + read]:X4}) at index {at + read}.", nameof(text));
            }
            output.Advance(written);
            at += length;
        }
    }

    private AddedTokenMatcher Matcher(IReadOnlyList<AddedToken> tokens, bool normalized, bool specials)
    {
        var patterns = new List<(AddedToken, byte[])>();
        // Specials first: of tokens that look the same once normalized, the special one counts.
        foreach (var token in tokens.Where(token => token.Normalized == normalized && (specials || !token.Special)).OrderBy(token => !token.Special))
        {
            patterns.Add((token, token.Pattern(_normalizer)));
        }
        return new AddedTokenMatcher(patterns);
    }

    private void EncodeText(EncodeScratch scratch, bool specials)
    {
        var matcher = specials ? _rawWithSpecials : _rawWithoutSpecials;
        var text = scratch.Text.Span;
        var scan = 0;
        var done = 0;
        while (matcher.Next(text, ref scan, done, out var start, out var end) is { } token)
        {
            EncodeSection(text[done..start], done == 0, scratch, specials);
            scratch.Ids.Add(token.Id);
            done = end;
        }
        EncodeSection(text[done..], done == 0, scratch, specials);
    }

    private void EncodeSection(ReadOnlySpan<byte> text, bool atTextStart, EncodeScratch scratch, bool specials)
    {
        if (text.IsEmpty) return;
        if (_normalizer is not null)
        {
            scratch.Normalized.Clear();
            var steps = scratch.Steps;
            if (_normalizer.Apply(text, scratch.Normalized, ref steps)) text = scratch.Normalized.Span;
            scratch.Steps = steps;
        }
        var matcher = specials ? _normalizedWithSpecials : _normalizedWithoutSpecials;
        var scan = 0;
        var done = 0;
        while (matcher.Next(text, ref scan, done, out var start, out var end) is { } token)
        {
            EncodePlain(text[done..start], atTextStart && done == 0, scratch);
            scratch.Ids.Add(token.Id);
            done = end;
        }
        EncodePlain(text[done..], atTextStart && done == 0, scratch);
    }

    private void EncodePlain(ReadOnlySpan<byte> text, bool atTextStart, EncodeScratch scratch)
    {
        if (text.IsEmpty) return;
        var (ids, merger) = (scratch.Ids, scratch.Merger);
        if (_preTokenizer.IsIdentity)
        {
            _model.Encode(text, ids, merger);
            return;
        }
        var steps = scratch.Steps;
        if (_preTokenizer.OnlyPattern is { } pattern)
        {
            var at = 0;
            while (pattern.Find(text, at, ref steps, out _, out var end))
            {
                _model.Encode(text[at..end], ids, merger);
                at = end;
            }
            scratch.Steps = steps;
            return;
        }
        scratch.First.Clear();
        scratch.First.Text.Append(text);
        var result = _preTokenizer.Apply(scratch.First, scratch.Second, atTextStart, ref steps);
        scratch.Steps = steps;
        var all = result.Text.Span;
        foreach (var piece in result.Pieces)
        {
            var bytes = all.Slice(piece.Start, piece.Length);
            if (_preTokenizer.PiecesAreMapped)
            {
                scratch.Unmapped.Clear();
                ByteAlphabet.Unmap(bytes, scratch.Unmapped);
                bytes = scratch.Unmapped.Span;
            }
            _model.Encode(bytes, ids, merger);
        }
    }
}
