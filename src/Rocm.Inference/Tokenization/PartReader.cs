using System.Text;
using Rocm.Inference.Tokenization.Patterns;

namespace Rocm.Inference.Tokenization;

/// <summary>Reads what several parts of tokenizer.json have in common.</summary>
internal static class PartReader
{
    /// <summary>Nesting of Sequence parts; real files nest once.</summary>
    public const int MaxDepth = 8;

    /// <summary>A pattern: {"String": "..."} or {"Regex": "..."}.</summary>
    public static TextPattern Pattern(JsonPart part)
    {
        part.AllowOnly("String", "Regex");
        var literal = part.Get("String");
        if (!literal.IsNull)
        {
            var text = literal.Text();
            return text.Length > 0
                ? new LiteralPattern(Encoding.UTF8.GetBytes(text))
                : throw literal.Refuse("A pattern is empty.", "at least one character");
        }
        var regex = part.Require("Regex");
        var source = regex.Text();
        switch (source)
        {
            case Gpt2Pattern.Source: return new Gpt2Pattern();
            case Cl100kPattern.ThreeDigits: return new Cl100kPattern(3);
            case Cl100kPattern.OneDigit: return new Cl100kPattern(1);
        }
        try
        {
            return new RegexPattern(source);
        }
        catch (FormatException e)
        {
            throw new ModelLoadException(
                "A regular expression uses what this tokenizer does not support.", regex.File, regex.Path,
                "choices, groups, classes with properties, repetition and look-ahead", e.Message, e);
        }
    }

    /// <summary>What a replacement puts in, in UTF-8.</summary>
    public static byte[] Content(JsonPart part)
    {
        var text = part.Text();
        return text.Length <= TokenizerLimits.MaxReplacementCharacters
            ? Encoding.UTF8.GetBytes(text)
            : throw part.Refuse("A replacement is too long.", $"at most {TokenizerLimits.MaxReplacementCharacters} characters", $"{text.Length}");
    }

    public static ModelLoadException UnknownType(JsonPart part, string kind, string known) =>
        part.Get("type").Refuse($"The {kind} is of a kind this tokenizer does not support.", known);
}
