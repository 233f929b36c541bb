namespace Rocm.Inference.Tokenization;

/// <summary>Reads the "added_tokens" of tokenizer.json and checks them against the vocabulary.</summary>
internal static class AddedTokenReader
{
    public static List<AddedToken> Read(JsonPart part, BpeFile file)
    {
        var tokens = new List<AddedToken>();
        if (part.IsNull) return tokens;
        var contents = new Dictionary<string, int>(StringComparer.Ordinal);
        var vocabularyIds = new HashSet<int>(file.Ids.Values);
        var addedIds = new HashSet<int>();
        var characters = 0L;
        foreach (var item in part.Items())
        {
            item.AllowOnly("id", "content", "single_word", "lstrip", "rstrip", "normalized", "special");
            var idPart = item.Require("id");
            var id = idPart.Integer(0, TokenizerLimits.MaxId);
            var content = item.Require("content").Text();
            // An empty token cannot occur in a text; Hugging Face ignores it as well.
            if (content.Length == 0) continue;
            if (content.Length > TokenizerLimits.MaxAddedTokenCharacters)
            {
                throw item.Refuse(
                    "An added token is too long.", $"at most {TokenizerLimits.MaxAddedTokenCharacters} characters", $"{content.Length}");
            }
            characters += content.Length;
            if (characters > TokenizerLimits.MaxAddedTokensCharacters)
            {
                throw part.Refuse(
                    "The added tokens are too long together.", $"at most {TokenizerLimits.MaxAddedTokensCharacters} characters", "more");
            }
            if (!contents.TryAdd(content, id)) throw item.Refuse("An added token is there twice.", "distinct tokens", content);
            if (file.Ids.TryGetValue(content, out var known))
            {
                if (known != id) throw idPart.Refuse($"The token '{content}' has another id in the vocabulary.", $"{known}", $"{id}");
            }
            else if (vocabularyIds.Contains(id))
            {
                throw idPart.Refuse($"The id of the added token '{content}' belongs to another token.", "an unused id", $"{id}");
            }
            if (!addedIds.Add(id)) throw idPart.Refuse("Two added tokens have the same id.", "distinct ids", $"{id}");
            if (id >= 2L * (file.LastId + 1) + TokenizerLimits.MaxHoles)
            {
                throw idPart.Refuse("The ids are too sparse.", $"ids near the size of the vocabulary, {file.LastId + 1}", $"{id}");
            }
            tokens.Add(new AddedToken(
                id, content, item.Flag("special", fallback: false), item.Flag("normalized", fallback: true),
                item.Flag("single_word", fallback: false), item.Flag("lstrip", fallback: false), item.Flag("rstrip", fallback: false)));
        }
        return tokens;
    }
}
