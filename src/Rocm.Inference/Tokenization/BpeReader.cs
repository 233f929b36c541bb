using System.Text;
using System.Text.Json;

namespace Rocm.Inference.Tokenization;

/// <summary>What the "model" of tokenizer.json says.</summary>
internal sealed class BpeFile
{
    public required Dictionary<string, int> Ids { get; init; }

    public required List<(int Left, int Right, int Result)> Merges { get; init; }

    public required bool ByteFallback { get; init; }

    public required bool IgnoreMerges { get; init; }

    public required bool FuseUnknown { get; init; }

    public required int UnknownId { get; init; }

    /// <summary>The largest id.</summary>
    public required int LastId { get; init; }
}

/// <summary>Reads the "model" of tokenizer.json.</summary>
internal static class BpeReader
{
    public static BpeFile Read(JsonPart part)
    {
        var type = part.Get("type");
        if (!type.IsNull && type.Text() != "BPE") throw PartReader.UnknownType(part, "model", "BPE");
        part.AllowOnly(
            "type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", "byte_fallback", "ignore_merges",
            "vocab", "merges");
        var dropout = part.Get("dropout");
        if (!dropout.IsNull && !(dropout.Element.ValueKind == JsonValueKind.Number && dropout.Element.TryGetDouble(out var rate) && rate == 0))
        {
            throw dropout.Refuse("Dropout makes encoding random; it is for training.", "null");
        }
        RequireEmpty(part.Get("continuing_subword_prefix"));
        RequireEmpty(part.Get("end_of_word_suffix"));

        var ids = ReadVocabulary(part.Require("vocab"), out var lastId);
        var unknown = part.Get("unk_token");
        var unknownId = -1;
        if (!unknown.IsNull && !ids.TryGetValue(unknown.Text(), out unknownId))
        {
            throw unknown.Refuse("The unknown token is not in the vocabulary.", "a token of the vocabulary");
        }
        return new BpeFile
        {
            Ids = ids,
            Merges = ReadMerges(part.Require("merges"), ids),
            ByteFallback = part.Flag("byte_fallback", fallback: false),
            IgnoreMerges = part.Flag("ignore_merges", fallback: false),
            FuseUnknown = part.Flag("fuse_unk", fallback: false),
            UnknownId = unknownId,
            LastId = lastId,
        };
    }

    private static void RequireEmpty(JsonPart part)
    {
        if (!part.IsNull && part.Text().Length > 0) throw part.Refuse("Marks of word parts are not supported.", "null or an empty string");
    }

    private static Dictionary<string, int> ReadVocabulary(JsonPart part, out int lastId)
    {
        part.Expect(JsonValueKind.Object, "an object of tokens and ids");
        var ids = new Dictionary<string, int>(StringComparer.Ordinal);
        var seen = new HashSet<int>();
        lastId = -1;
        foreach (var member in part.Element.EnumerateObject())
        {
            var name = part.NameOf(member);
            var id = part.Member(member).Integer(0, TokenizerLimits.MaxId);
            if (name.Length > TokenizerLimits.MaxTokenCharacters)
            {
                throw part.Refuse("A token is too long.", $"at most {TokenizerLimits.MaxTokenCharacters} characters", $"{name.Length}");
            }
            if (!seen.Add(id)) throw part.Member(member).Refuse("Two tokens have the same id.", "distinct ids");
            if (!ids.TryAdd(name, id)) throw part.Member(member).Refuse("A token is there twice.", "distinct tokens");
            lastId = Math.Max(lastId, id);
        }
        if (ids.Count == 0) throw part.Refuse("The vocabulary is empty.", "at least one token", "none");
        if (lastId >= 2L * ids.Count + TokenizerLimits.MaxHoles)
        {
            throw part.Refuse("The ids are too sparse.", $"ids near the number of tokens, {ids.Count}", $"{lastId}");
        }
        return ids;
    }

    private static List<(int Left, int Right, int Result)> ReadMerges(JsonPart part, Dictionary<string, int> ids)
    {
        part.Expect(JsonValueKind.Array, "an array of merges");
        var merges = new List<(int, int, int)>(part.Element.GetArrayLength());
        var lookup = ids.GetAlternateLookup<ReadOnlySpan<char>>();
        var index = 0;
        foreach (var item in part.Element.EnumerateArray())
        {
            var merge = part.Item(item, index++);
            string left, right;
            if (item.ValueKind == JsonValueKind.String)
            {
                var text = merge.Text();
                if (text.StartsWith("#version", StringComparison.Ordinal)) continue;
                var space = text.IndexOf(' ', StringComparison.Ordinal);
                if (space < 0 || text.IndexOf(' ', space + 1) >= 0) throw merge.Refuse("A merge is not two tokens.", "two tokens and one space");
                (left, right) = (text[..space], text[(space + 1)..]);
            }
            else
            {
                var pair = merge.Items();
                if (pair.Count != 2) throw merge.Refuse("A merge is not two tokens.", "two tokens", $"{pair.Count}");
                (left, right) = (pair[0].Text(), pair[1].Text());
            }
            merges.Add((IdOf(merge, lookup, left), IdOf(merge, lookup, right), IdOf(merge, lookup, left + right)));
        }
        return merges;
    }

    private static int IdOf(JsonPart merge, Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> ids, string token) =>
        ids.TryGetValue(token, out var id) ? id : throw merge.Refuse("A merge uses a token that the vocabulary lacks.", "a known token", token);

    /// <summary>The model of a file, given how its text is split and which of its tokens are special.</summary>
    public static BpeModel Build(BpeFile file, bool byteLevel, JsonPart part, IEnumerable<int> specialIds)
    {
        var tokens = new List<(byte[] Bytes, int Id)>(file.Ids.Count);
        foreach (var (name, id) in file.Ids)
        {
            // Byte-level entries with other characters are added tokens, found elsewhere.
            var bytes = byteLevel ? ByteAlphabet.TryUnmap(name) : Encoding.UTF8.GetBytes(name);
            if (bytes is { Length: > 0 }) tokens.Add((bytes, id));
        }
        var table = new TokenTable(tokens);
        if (byteLevel) RequireBytes(table, part);
        int[]? byteIds = null;
        if (file.ByteFallback)
        {
            byteIds = new int[256];
            for (var value = 0; value < 256; value++) byteIds[value] = file.Ids.GetValueOrDefault(ByteTokens.Name(value), -1);
        }
        var settings = new BpeSettings(byteLevel, file.IgnoreMerges, byteIds, file.UnknownId, file.FuseUnknown);
        // A character that is dropped would let its neighbours merge over the start of a word.
        var drops = file.UnknownId < 0 && (byteIds is null || Array.IndexOf(byteIds, -1) >= 0);
        var wordStart = byteLevel || drops ? null : WordStart(file);
        return new BpeModel(settings, table, new MergeTable(file.Merges), file.LastId + 1, specialIds, wordStart);
    }

    private static void RequireBytes(TokenTable table, JsonPart part)
    {
        for (var value = 0; value < 256; value++)
        {
            // These bytes occur in no valid UTF-8.
            if (value is 0xC0 or 0xC1 or >= 0xF5) continue;
            if (table.Find([(byte)value]) < 0)
            {
                throw part.Get("vocab").Refuse(
                    "The vocabulary lacks a byte, so some text could not be encoded.", "a token for every byte", ByteTokens.Name(value));
            }
        }
    }

    /// <summary>
    /// The mark that begins words in SentencePiece-like vocabularies, if no merge ever reaches over the start of a word: then a text that was
    /// not split into words can be encoded word by word with the same result. Null otherwise.
    /// </summary>
    private static byte[]? WordStart(BpeFile file)
    {
        const char Mark = '\u2581';
        if (file.IgnoreMerges || !file.Ids.ContainsKey(Mark.ToString())) return null;
        var endsInMark = new HashSet<int>();
        var beginsWithMark = new HashSet<int>();
        foreach (var (name, id) in file.Ids)
        {
            if (name.EndsWith(Mark)) endsInMark.Add(id);
            if (name.StartsWith(Mark)) beginsWithMark.Add(id);
        }
        foreach (var (left, right, _) in file.Merges)
        {
            if (beginsWithMark.Contains(right) && !endsInMark.Contains(left)) return null;
        }
        return Encoding.UTF8.GetBytes(Mark.ToString());
    }
}
