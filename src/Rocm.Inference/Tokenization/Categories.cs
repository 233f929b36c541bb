using System.Globalization;

namespace Rocm.Inference.Tokenization;

/// <summary>Sets of Unicode general categories as bit masks, by the one- or two-letter names regexes use.</summary>
internal static class Categories
{
    public const uint Letter = 0x1F;
    public const uint Mark = 0xE0;
    public const uint Number = 0x700;
    public const uint Punctuation =
        1u << (int)UnicodeCategory.ConnectorPunctuation | 1u << (int)UnicodeCategory.DashPunctuation
        | 1u << (int)UnicodeCategory.OpenPunctuation | 1u << (int)UnicodeCategory.ClosePunctuation
        | 1u << (int)UnicodeCategory.InitialQuotePunctuation | 1u << (int)UnicodeCategory.FinalQuotePunctuation
        | 1u << (int)UnicodeCategory.OtherPunctuation;
    public const uint Symbol =
        1u << (int)UnicodeCategory.MathSymbol | 1u << (int)UnicodeCategory.CurrencySymbol
        | 1u << (int)UnicodeCategory.ModifierSymbol | 1u << (int)UnicodeCategory.OtherSymbol;
    public const uint Word =
        Letter | Mark | 1u << (int)UnicodeCategory.DecimalDigitNumber | 1u << (int)UnicodeCategory.LetterNumber
        | 1u << (int)UnicodeCategory.ConnectorPunctuation;

    /// <summary>The mask of a category name such as "L" or "Lu", or 0 for an unknown name.</summary>
    public static uint Named(string name) => name switch
    {
        "L" => Letter,
        "Lu" => 1u << (int)UnicodeCategory.UppercaseLetter,
        "Ll" => 1u << (int)UnicodeCategory.LowercaseLetter,
        "Lt" => 1u << (int)UnicodeCategory.TitlecaseLetter,
        "Lm" => 1u << (int)UnicodeCategory.ModifierLetter,
        "Lo" => 1u << (int)UnicodeCategory.OtherLetter,
        "M" => Mark,
        "Mn" => 1u << (int)UnicodeCategory.NonSpacingMark,
        "Mc" => 1u << (int)UnicodeCategory.SpacingCombiningMark,
        "Me" => 1u << (int)UnicodeCategory.EnclosingMark,
        "N" => Number,
        "Nd" => 1u << (int)UnicodeCategory.DecimalDigitNumber,
        "Nl" => 1u << (int)UnicodeCategory.LetterNumber,
        "No" => 1u << (int)UnicodeCategory.OtherNumber,
        "P" => Punctuation,
        "Pc" => 1u << (int)UnicodeCategory.ConnectorPunctuation,
        "Pd" => 1u << (int)UnicodeCategory.DashPunctuation,
        "Ps" => 1u << (int)UnicodeCategory.OpenPunctuation,
        "Pe" => 1u << (int)UnicodeCategory.ClosePunctuation,
        "Pi" => 1u << (int)UnicodeCategory.InitialQuotePunctuation,
        "Pf" => 1u << (int)UnicodeCategory.FinalQuotePunctuation,
        "Po" => 1u << (int)UnicodeCategory.OtherPunctuation,
        "S" => Symbol,
        "Sm" => 1u << (int)UnicodeCategory.MathSymbol,
        "Sc" => 1u << (int)UnicodeCategory.CurrencySymbol,
        "Sk" => 1u << (int)UnicodeCategory.ModifierSymbol,
        "So" => 1u << (int)UnicodeCategory.OtherSymbol,
        "Z" => 1u << (int)UnicodeCategory.SpaceSeparator | 1u << (int)UnicodeCategory.LineSeparator
            | 1u << (int)UnicodeCategory.ParagraphSeparator,
        "Zs" => 1u << (int)UnicodeCategory.SpaceSeparator,
        "Cc" => 1u << (int)UnicodeCategory.Control,
        "Cf" => 1u << (int)UnicodeCategory.Format,
        _ => 0,
    };
}
