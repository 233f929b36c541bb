using System.Text.Json;

namespace Rocm.Inference.Tokenization;

/// <summary>The special tokens around an encoded text.</summary>
internal sealed record Surround(int[] Before, int[] After)
{
    public static Surround None { get; } = new([], []);
}

/// <summary>Reads the "post_processor" of tokenizer.json, as far as it concerns a single text.</summary>
internal static class PostProcessorReader
{
    private const string Known = "Sequence, TemplateProcessing, ByteLevel, RobertaProcessing, BertProcessing";
    private const int MaxTokens = 256;

    /// <param name="part">The part; null means no special tokens.</param>
    /// <param name="idOf">The id of a token, or -1.</param>
    /// <param name="depth">How deep the part is nested.</param>
    public static Surround Read(JsonPart part, Func<string, int> idOf, int depth = 0)
    {
        if (part.IsNull) return Surround.None;
        if (depth > PartReader.MaxDepth) throw part.Refuse("Post-processors are nested too deep.", $"at most {PartReader.MaxDepth} levels");
        var type = part.Require("type").Text();
        switch (type)
        {
            case "Sequence":
                part.AllowOnly("type", "processors");
                var around = Surround.None;
                foreach (var item in part.Require("processors").Items())
                {
                    var outer = Read(item, idOf, depth + 1);
                    around = new Surround([.. outer.Before, .. around.Before], [.. around.After, .. outer.After]);
                    if (around.Before.Length + around.After.Length > MaxTokens) throw item.Refuse("Too many special tokens.", $"at most {MaxTokens}");
                }
                return around;
            case "ByteLevel":
                // Changes offsets only, which this tokenizer does not report.
                part.AllowOnly("type", "add_prefix_space", "trim_offsets", "use_regex");
                return Surround.None;
            case "TemplateProcessing":
                return Template(part, idOf);
            case "RobertaProcessing" or "BertProcessing":
                part.AllowOnly("type", "sep", "cls", "trim_offsets", "add_prefix_space");
                return new Surround([Pair(part.Require("cls"), idOf)], [Pair(part.Require("sep"), idOf)]);
            default:
                throw PartReader.UnknownType(part, "post-processor", Known);
        }
    }

    private static Surround Template(JsonPart part, Func<string, int> idOf)
    {
        part.AllowOnly("type", "single", "pair", "special_tokens");
        var specials = part.Require("special_tokens");
        specials.Expect(JsonValueKind.Object, "an object");
        var before = new List<int>();
        var after = new List<int>();
        var current = before;
        foreach (var item in part.Require("single").Items())
        {
            item.AllowOnly("Sequence", "SpecialToken");
            var sequence = item.Get("Sequence");
            if (!sequence.IsNull)
            {
                if (sequence.Require("id").Text() != "A" || current == after) throw sequence.Refuse("The template is not one text.", "A, once");
                current = after;
                continue;
            }
            var name = item.Require("SpecialToken").Require("id");
            var special = specials.Get(name.Text());
            if (special.IsNull) throw name.Refuse("The template uses a token that special_tokens lacks.", "a member of special_tokens");
            special.AllowOnly("id", "ids", "tokens");
            var ids = special.Require("ids").Items();
            var tokens = special.Require("tokens").Items();
            if (ids.Count != tokens.Count) throw special.Refuse("ids and tokens differ in number.", $"{ids.Count} tokens", $"{tokens.Count}");
            for (var i = 0; i < ids.Count; i++) current.Add(Check(ids[i], tokens[i], idOf));
            if (current.Count > MaxTokens) throw item.Refuse("Too many special tokens.", $"at most {MaxTokens}");
        }
        if (current == before) throw part.Get("single").Refuse("The template has no place for the text.", "one Sequence A", "none");
        return new Surround([.. before], [.. after]);
    }

    private static int Pair(JsonPart part, Func<string, int> idOf)
    {
        var items = part.Items();
        if (items.Count != 2) throw part.Refuse("This is not a token and its id.", "[token, id]");
        return Check(items[1], items[0], idOf);
    }

    private static int Check(JsonPart id, JsonPart token, Func<string, int> idOf)
    {
        var value = id.Integer(0, TokenizerLimits.MaxId);
        var known = idOf(token.Text());
        if (known != value)
        {
            throw id.Refuse(
                $"The id of the token '{token.Text()}' does not agree with the vocabulary.", known < 0 ? "a known token" : $"{known}", $"{value}");
        }
        return value;
    }
}
