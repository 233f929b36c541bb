namespace Rocm.Inference.Tokenization;

/// <summary>What a BPE vocabulary does with characters it lacks, and the switches of its merging.</summary>
/// <param name="ByteLevel">Pieces start from bytes, not from characters.</param>
/// <param name="IgnoreMerges">A piece that is a token as a whole is that token.</param>
/// <param name="ByteFallback">Ids of the 256 byte tokens (-1 if absent), or null: missing characters are not spelled in bytes.</param>
/// <param name="UnknownId">The id for missing characters, or -1: they are dropped.</param>
/// <param name="FuseUnknown">A run of missing characters makes one unknown token.</param>
internal sealed record BpeSettings(bool ByteLevel, bool IgnoreMerges, int[]? ByteFallback, int UnknownId, bool FuseUnknown);

/// <summary>Byte-pair encoding of one piece. Immutable but for its cache; shared by all threads.</summary>
internal sealed class BpeModel
{
    private const byte Unchecked = 0;
    private const byte Reachable = 1;
    private const byte Unreachable = 2;

    private readonly BpeSettings _settings;
    private readonly TokenTable _tokens;
    private readonly byte[]? _wordStart;
    private readonly PieceCache _cache = new();
    private readonly int[] _asciiIds = new int[128];
    private readonly int[] _byteIds = new int[256];

    // Whether merging a token's own characters gives that token; found out when a piece first equals it. Racing threads find the same.
    private readonly byte[] _reach;

    /// <param name="settings">Switches.</param>
    /// <param name="tokens">The vocabulary.</param>
    /// <param name="merges">The merges.</param>
    /// <param name="idCount">One more than the largest id.</param>
    /// <param name="specialIds">Ids that text must never come to, whatever it says.</param>
    /// <param name="wordStart">What begins words no merge reaches over, or null.</param>
    public BpeModel(
        BpeSettings settings, TokenTable tokens, MergeTable merges, int idCount, IEnumerable<int> specialIds, byte[]? wordStart)
    {
        _settings = settings;
        _tokens = tokens;
        _wordStart = wordStart;
        Merges = merges;
        _reach = new byte[idCount];
        foreach (var id in specialIds)
        {
            if (id < idCount) _reach[id] = Unreachable;
        }
        Span<byte> one = stackalloc byte[1];
        for (var value = 0; value < 256; value++)
        {
            one[0] = (byte)value;
            _byteIds[value] = tokens.Find(one);
            if (value < 128) _asciiIds[value] = _byteIds[value];
        }
    }

    public MergeTable Merges { get; }

    /// <summary>Appends the ids of a piece: raw bytes for a byte-level vocabulary, else UTF-8.</summary>
    public void Encode(ReadOnlySpan<byte> piece, IdBuilder ids, BpeMerger merger)
    {
        while (_wordStart is not null)
        {
            // Before every mark that follows something else.
            var marks = 0;
            while (piece[marks..].StartsWith(_wordStart)) marks += _wordStart.Length;
            var next = piece[marks..].IndexOf(_wordStart);
            if (next < 0) break;
            EncodeWord(piece[..(marks + next)], ids, merger);
            piece = piece[(marks + next)..];
        }
        EncodeWord(piece, ids, merger);
    }

    private void EncodeWord(ReadOnlySpan<byte> piece, IdBuilder ids, BpeMerger merger)
    {
        var hash = TokenTable.Hash(piece);
        if (piece.Length <= _tokens.LongestToken)
        {
            var id = _tokens.Find(piece, hash);
            if (id >= 0 && (_settings.IgnoreMerges ? _reach[id] != Unreachable : IsReachable(id, piece, merger)))
            {
                ids.Add(id);
                return;
            }
        }
        var cached = _cache.Find(piece, hash);
        if (cached is not null)
        {
            ids.Add(cached);
            return;
        }
        var start = ids.Count;
        Merge(piece, ids, merger);
        _cache.Add(piece, hash, ids.Ids[start..]);
    }

    private bool IsReachable(int id, ReadOnlySpan<byte> piece, BpeMerger merger)
    {
        var known = _reach[id];
        if (known != Unchecked) return known == Reachable;
        var ids = new IdBuilder();
        Merge(piece, ids, merger);
        var reachable = ids.Count == 1 && ids.Ids[0] == id;
        _reach[id] = reachable ? Reachable : Unreachable;
        return reachable;
    }

    private void Merge(ReadOnlySpan<byte> piece, IdBuilder ids, BpeMerger merger)
    {
        var symbols = ids.Reserve(piece.Length);
        var count = _settings.ByteLevel ? BytesToSymbols(piece, symbols) : CharactersToSymbols(piece, symbols);
        ids.Advance(merger.Merge(symbols[..count]));
    }

    private int BytesToSymbols(ReadOnlySpan<byte> piece, Span<int> symbols)
    {
        for (var i = 0; i < piece.Length; i++) symbols[i] = _byteIds[piece[i]];
        return piece.Length;
    }

    private int CharactersToSymbols(ReadOnlySpan<byte> piece, Span<int> symbols)
    {
        var count = 0;
        var pendingUnknown = false;
        for (var at = 0; at < piece.Length;)
        {
            CodePoints.Decode(piece, at, out var length);
            var character = piece.Slice(at, length);
            var id = length == 1 ? _asciiIds[character[0]] : _tokens.Find(character);
            at += length;
            if (id >= 0)
            {
                if (pendingUnknown) symbols[count++] = _settings.UnknownId;
                pendingUnknown = false;
                symbols[count++] = id;
            }
            else if (!TrySpell(character, symbols, ref count) && _settings.UnknownId >= 0)
            {
                // An unknown token waits for the next known character, behind byte tokens too: the order the reference implementation has.
                if (pendingUnknown && !_settings.FuseUnknown) symbols[count++] = _settings.UnknownId;
                pendingUnknown = true;
            }
        }
        if (pendingUnknown) symbols[count++] = _settings.UnknownId;
        return count;
    }

    private bool TrySpell(ReadOnlySpan<byte> character, Span<int> symbols, ref int count)
    {
        if (_settings.ByteFallback is not { } byteTokens) return false;
        foreach (var value in character)
        {
            if (byteTokens[value] < 0) return false;
        }
        foreach (var value in character) symbols[count++] = byteTokens[value];
        return true;
    }
}
