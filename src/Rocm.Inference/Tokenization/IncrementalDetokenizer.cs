using System.Buffers;
using System.Text;
using System.Text.Unicode;
using Rocm.Inference.Tokenization;

namespace Rocm.Inference;

/// <summary>
/// Turns ids into text one by one. What it gives out is final: a character whose bytes are not all there yet is held back, at most until it
/// can no longer become valid, and all pieces together are exactly what <see cref="Tokenizer.Decode"/> gives for all ids at once.
/// Not thread-safe; cheap to create.
/// </summary>
public sealed class IncrementalDetokenizer
{
    private const int MaxPending = 4;

    private readonly TokenDecoder _decoder;
    private readonly bool _skipSpecialTokens;
    private readonly ArrayBufferWriter<char> _piece = new(64);
    private readonly byte[] _pending = new byte[MaxPending];
    private int _pendingCount;
    private int _stripLeft;
    private bool _first;

    internal IncrementalDetokenizer(TokenDecoder decoder, bool skipSpecialTokens)
    {
        _decoder = decoder;
        _skipSpecialTokens = skipSpecialTokens;
        Reset();
    }

    /// <summary>Adds an id and returns the text that has become certain, often empty.</summary>
    /// <param name="id">The id. Ids without a token, as padded vocabularies have, add nothing.</param>
    /// <returns>The new text.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The id is negative.</exception>
    public string Append(int id)
    {
        _piece.ResetWrittenCount();
        Append(id, _piece);
        return Take();
    }

    /// <summary>Adds an id and writes the text that has become certain.</summary>
    /// <param name="id">The id. Ids without a token, as padded vocabularies have, add nothing.</param>
    /// <param name="output">Where the new text goes.</param>
    /// <exception cref="ArgumentOutOfRangeException">The id is negative.</exception>
    public void Append(int id, IBufferWriter<char> output)
    {
        ArgumentNullException.ThrowIfNull(output);
        ArgumentOutOfRangeException.ThrowIfNegative(id);
        if (!_decoder.Counts(id, _skipSpecialTokens)) return;
        if (_decoder.Plan.JoinWithSpaces && !_first) Write(" "u8, output);
        var bytes = _decoder.Bytes(id, _first);
        _first = false;
        switch (_decoder.Plan.Mode)
        {
            case DecodeMode.Bytes:
                AppendBytes(bytes, output);
                break;
            case DecodeMode.ByteFallback when _decoder.IsByte(id):
                _pending[_pendingCount++] = bytes[0];
                DrainPending(output, final: false);
                break;
            default:
                DrainPending(output, final: true);
                Write(bytes, output);
                break;
        }
    }

    /// <summary>Ends the text and returns what was held back, as U+FFFD. The next id begins a new text.</summary>
    /// <returns>The last text, usually empty.</returns>
    public string Flush()
    {
        _piece.ResetWrittenCount();
        Flush(_piece);
        return Take();
    }

    /// <summary>Ends the text and writes what was held back, as U+FFFD. The next id begins a new text.</summary>
    /// <param name="output">Where the last text goes.</param>
    public void Flush(IBufferWriter<char> output)
    {
        ArgumentNullException.ThrowIfNull(output);
        if (_decoder.Plan.Mode == DecodeMode.Bytes)
        {
            // An incomplete character at the end is one broken character.
            if (_pendingCount > 0) Emit("\uFFFD", output);
        }
        else
        {
            DrainPending(output, final: true);
        }
        Reset();
    }

    /// <summary>Forgets what was held back; the next id begins a new text.</summary>
    public void Reset()
    {
        _pendingCount = 0;
        _stripLeft = _decoder.Plan.StripCount;
        _first = true;
    }

    private string Take() => _piece.WrittenCount == 0 ? "" : new string(_piece.WrittenSpan);

    private void AppendBytes(ReadOnlySpan<byte> bytes, IBufferWriter<char> output)
    {
        while (_pendingCount > 0 && !bytes.IsEmpty)
        {
            // Byte by byte until the held character is complete or broken; the broken part is what a decoder of the whole would replace.
            _pending[_pendingCount++] = bytes[0];
            bytes = bytes[1..];
            var status = Rune.DecodeFromUtf8(_pending.AsSpan(0, _pendingCount), out var rune, out var consumed);
            if (status == OperationStatus.NeedMoreData) continue;
            EmitRune(status == OperationStatus.Done ? rune : Rune.ReplacementChar, output);
            Drop(consumed);
            if (_pendingCount == 0) break;
            // The byte that broke it begins anew.
            status = Rune.DecodeFromUtf8(_pending.AsSpan(0, _pendingCount), out rune, out consumed);
            if (status == OperationStatus.NeedMoreData) continue;
            EmitRune(status == OperationStatus.Done ? rune : Rune.ReplacementChar, output);
            Drop(consumed);
        }
        if (bytes.IsEmpty) return;
        var chars = output.GetSpan(bytes.Length);
        Utf8.ToUtf16(bytes, chars, out var read, out var written, replaceInvalidSequences: true, isFinalBlock: false);
        Commit(chars, written, output);
        bytes[read..].CopyTo(_pending);
        _pendingCount = bytes.Length - read;
    }

    /// <summary>Gives out the complete characters of byte tokens; each byte of a broken one is a broken character of its own.</summary>
    private void DrainPending(IBufferWriter<char> output, bool final)
    {
        while (_pendingCount > 0)
        {
            var status = Rune.DecodeFromUtf8(_pending.AsSpan(0, _pendingCount), out var rune, out var consumed);
            if (status == OperationStatus.NeedMoreData && !final) return;
            if (status == OperationStatus.Done)
            {
                EmitRune(rune, output);
            }
            else
            {
                for (var i = 0; i < consumed; i++) EmitRune(Rune.ReplacementChar, output);
            }
            Drop(consumed);
        }
    }

    private void Drop(int count)
    {
        _pending.AsSpan(count, _pendingCount - count).CopyTo(_pending);
        _pendingCount -= count;
    }

    private void Write(ReadOnlySpan<byte> text, IBufferWriter<char> output)
    {
        if (text.IsEmpty) return;
        var chars = output.GetSpan(text.Length);
        Utf8.ToUtf16(text, chars, out _, out var written);
        Commit(chars, written, output);
    }

    private void EmitRune(Rune rune, IBufferWriter<char> output)
    {
        Span<char> chars = stackalloc char[2];
        Emit(chars[..rune.EncodeToUtf16(chars)], output);
    }

    private void Emit(ReadOnlySpan<char> text, IBufferWriter<char> output)
    {
        var chars = output.GetSpan(text.Length);
        text.CopyTo(chars);
        Commit(chars, text.Length, output);
    }

    private void Commit(Span<char> chars, int count, IBufferWriter<char> output)
    {
        if (_stripLeft > 0 && count > 0)
        {
            var strip = 0;
            while (strip < count && strip < _stripLeft && chars[strip] == _decoder.Plan.StripFirst) strip++;
            // Anything else ends the start of the text, and with it the stripping.
            _stripLeft = strip == count ? _stripLeft - strip : 0;
            chars[strip..count].CopyTo(chars);
            count -= strip;
        }
        output.Advance(count);
    }
}
