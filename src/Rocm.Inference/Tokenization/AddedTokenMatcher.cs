using System.Buffers;

namespace Rocm.Inference.Tokenization;

/// <summary>
/// Finds added tokens in UTF-8 text: leftmost first, the longest of those that begin at the same place. Immutable. The time is linear in the
/// text, since the length of a token is bounded at load.
/// </summary>
internal sealed class AddedTokenMatcher
{
    private readonly AddedToken[] _tokens;
    private readonly SearchValues<byte> _firstBytes;
    private readonly Dictionary<(int Node, byte Value), int> _edges = [];
    private readonly int[] _roots = new int[256];
    private readonly List<int> _tokenAt = [-1];

    /// <param name="patterns">Tokens and the bytes to look for; of equal bytes the first counts.</param>
    public AddedTokenMatcher(List<(AddedToken Token, byte[] Bytes)> patterns)
    {
        _tokens = new AddedToken[patterns.Count];
        for (var i = 0; i < patterns.Count; i++)
        {
            _tokens[i] = patterns[i].Token;
            Insert(patterns[i].Bytes, i);
        }
        var first = new List<byte>();
        for (var value = 0; value < 256; value++)
        {
            if (_roots[value] != 0) first.Add((byte)value);
        }
        _firstBytes = SearchValues.Create([.. first]);
    }

    public bool IsEmpty => _tokens.Length == 0;

    /// <summary>Finds the next token that counts.</summary>
    /// <param name="text">The text.</param>
    /// <param name="scan">Where to look from; moves behind the match, the stripped white space not included.</param>
    /// <param name="taken">The end of what the previous token took: white space before it is not to be had.</param>
    /// <param name="start">Where the token begins, with the white space it takes in.</param>
    /// <param name="end">Where it ends, likewise; less than <paramref name="taken"/> if it lies within what the previous one took.</param>
    /// <returns>The token, or null.</returns>
    public AddedToken? Next(ReadOnlySpan<byte> text, ref int scan, int taken, out int start, out int end)
    {
        while (scan < text.Length)
        {
            var skip = text[scan..].IndexOfAny(_firstBytes);
            if (skip < 0) break;
            scan += skip;
            var index = LongestAt(text, scan, out var length);
            if (index < 0)
            {
                scan++;
                continue;
            }
            (start, end) = (scan, scan + length);
            scan = end;
            var token = _tokens[index];
            if (token.SingleWord && (EndsInWord(text[..start]) || BeginsWithWord(text[end..]))) continue;
            if (token.LeftStrip) start = TrimEnd(text, start);
            if (token.RightStrip) end = TrimStart(text, end);
            // A token inside white space that the one before has taken counts, and the text goes on behind it: the taken space behind it comes
            // back, as in the reference implementation.
            start = Math.Max(start, taken);
            return token;
        }
        scan = text.Length;
        (start, end) = (text.Length, text.Length);
        return null;
    }

    private static bool EndsInWord(ReadOnlySpan<byte> text) =>
        !text.IsEmpty && CodePoints.IsWord(CodePoints.Decode(text, CodePoints.StepBack(text, text.Length), out _));

    private static bool BeginsWithWord(ReadOnlySpan<byte> text) => !text.IsEmpty && CodePoints.IsWord(CodePoints.Decode(text, 0, out _));

    private static int TrimEnd(ReadOnlySpan<byte> text, int end)
    {
        while (end > 0)
        {
            var last = CodePoints.StepBack(text, end);
            if (!CodePoints.IsWhiteSpace(CodePoints.Decode(text, last, out _))) break;
            end = last;
        }
        return end;
    }

    private static int TrimStart(ReadOnlySpan<byte> text, int start)
    {
        while (start < text.Length && CodePoints.IsWhiteSpace(CodePoints.Decode(text, start, out var length))) start += length;
        return start;
    }

    private void Insert(byte[] bytes, int index)
    {
        var node = 0;
        for (var i = 0; i < bytes.Length; i++)
        {
            var next = i == 0 ? _roots[bytes[0]] : _edges.GetValueOrDefault((node, bytes[i]));
            if (next == 0)
            {
                next = _tokenAt.Count;
                _tokenAt.Add(-1);
                if (i == 0) _roots[bytes[0]] = next;
                else _edges.Add((node, bytes[i]), next);
            }
            node = next;
        }
        if (_tokenAt[node] < 0) _tokenAt[node] = index;
    }

    private int LongestAt(ReadOnlySpan<byte> text, int at, out int length)
    {
        var best = -1;
        length = 0;
        var node = _roots[text[at]];
        for (var i = at + 1; node != 0; i++)
        {
            if (_tokenAt[node] >= 0) (best, length) = (_tokenAt[node], i - at);
            if (i >= text.Length || !_edges.TryGetValue((node, text[i]), out node)) break;
        }
        return best;
    }
}
