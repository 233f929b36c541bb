using System.Text;
using Rocm.Inference.Tokenization.Patterns;

namespace Rocm.Inference.Tokenization;

/// <summary>Reads the "pre_tokenizer" of tokenizer.json.</summary>
internal sealed class PreTokenizerReader
{
    private const string Known = "Sequence, Split, ByteLevel, Metaspace, Digits, Punctuation, Whitespace, WhitespaceSplit";

    private readonly List<PreTokenizerStep> _steps = [];
    private bool _byteLevel;
    private bool _mapPending;
    private bool _mapped;

    public static PreTokenizer Read(JsonPart part)
    {
        var reader = new PreTokenizerReader();
        if (!part.IsNull) reader.Add(part, 0);
        return new PreTokenizer([.. reader._steps], reader._byteLevel, reader._mapped);
    }

    private void Add(JsonPart part, int depth)
    {
        if (depth > PartReader.MaxDepth) throw part.Refuse("Pre-tokenizers are nested too deep.", $"at most {PartReader.MaxDepth} levels");
        var type = part.Require("type").Text();
        if (type == "Sequence")
        {
            part.AllowOnly("type", "pretokenizers");
            foreach (var item in part.Require("pretokenizers").Items()) Add(item, depth + 1);
            return;
        }
        if (_byteLevel && (type is "ByteLevel" or "Metaspace"))
        {
            throw part.Refuse("Nothing may rewrite text after ByteLevel.", "ByteLevel as the last rewriting step", type);
        }
        if (_mapPending)
        {
            // Steps behind ByteLevel see its characters, not the text.
            _steps.Add(new MapBytesStep());
            _mapPending = false;
            _mapped = true;
        }
        switch (type)
        {
            case "Split":
                part.AllowOnly("type", "pattern", "behavior", "invert");
                Split(PartReader.Pattern(part.Require("pattern")), Behavior(part.Require("behavior")), part.Flag("invert", fallback: false));
                break;
            case "ByteLevel":
                AddByteLevel(part);
                break;
            case "Metaspace":
                AddMetaspace(part);
                break;
            case "Digits":
                part.AllowOnly("type", "individual_digits");
                Split(
                    new CodePointPattern(CodePoints.IsNumeric),
                    part.Flag("individual_digits", fallback: false) ? SplitBehavior.Isolated : SplitBehavior.Contiguous);
                break;
            case "Punctuation":
                part.AllowOnly("type", "behavior");
                Split(
                    new CodePointPattern(CodePoints.IsPunctuation),
                    part.Get("behavior").IsNull ? SplitBehavior.Isolated : Behavior(part.Get("behavior")));
                break;
            case "Whitespace":
                part.AllowOnly("type");
                Split(new RegexPattern(@"\w+|[^\w\s]+"), SplitBehavior.Removed, invert: true);
                break;
            case "WhitespaceSplit":
                part.AllowOnly("type");
                Split(new CodePointPattern(CodePoints.IsWhiteSpace), SplitBehavior.Removed);
                break;
            default:
                throw PartReader.UnknownType(part, "pre-tokenizer", Known);
        }
    }

    private void Split(TextPattern pattern, SplitBehavior behavior, bool invert = false) =>
        _steps.Add(new SplitStep(pattern, behavior, invert));

    private void AddByteLevel(JsonPart part)
    {
        part.AllowOnly("type", "add_prefix_space", "trim_offsets", "use_regex");
        // trim_offsets is about offsets, which this tokenizer does not report.
        part.Flag("trim_offsets", fallback: true);
        if (part.Require("add_prefix_space").Flag()) _steps.Add(new PrefixSpaceStep());
        if (part.Flag("use_regex", fallback: true)) Split(new Gpt2Pattern(), SplitBehavior.Isolated);
        _byteLevel = true;
        _mapPending = true;
    }

    private void AddMetaspace(JsonPart part)
    {
        part.AllowOnly("type", "replacement", "prepend_scheme", "split", "add_prefix_space", "str_rep");
        var (replacement, scheme) = Metaspace(part);
        _steps.Add(new MetaspaceStep(replacement, scheme));
        if (part.Flag("split", fallback: true)) Split(new LiteralPattern(replacement), SplitBehavior.MergedWithNext);
    }

    /// <summary>Replacement and scheme of a Metaspace, pre-tokenizer or decoder, in its present or its older form.</summary>
    public static (byte[] Replacement, PrependScheme Scheme) Metaspace(JsonPart part)
    {
        var replacement = part.Require("replacement");
        var text = replacement.Text();
        if (text.Length == 0 || !Rune.TryGetRuneAt(text, 0, out var rune) || rune.Utf16SequenceLength != text.Length)
        {
            throw replacement.Refuse("The replacement is not one character.", "one character");
        }
        var scheme = part.Get("prepend_scheme");
        var prepend = part.Flag("add_prefix_space", fallback: true) ? PrependScheme.Always : PrependScheme.Never;
        if (!scheme.IsNull)
        {
            prepend = scheme.Text() switch
            {
                "always" => PrependScheme.Always,
                "first" => PrependScheme.First,
                "never" => PrependScheme.Never,
                _ => throw scheme.Refuse("The scheme is not known.", "always, first or never"),
            };
        }
        return (Encoding.UTF8.GetBytes(text), prepend);
    }

    private static SplitBehavior Behavior(JsonPart part) => part.Text() switch
    {
        "Isolated" => SplitBehavior.Isolated,
        "Removed" => SplitBehavior.Removed,
        "MergedWithPrevious" => SplitBehavior.MergedWithPrevious,
        "MergedWithNext" => SplitBehavior.MergedWithNext,
        "Contiguous" => SplitBehavior.Contiguous,
        _ => throw part.Refuse("The behavior is not known.", "Isolated, Removed, MergedWithPrevious, MergedWithNext or Contiguous"),
    };
}
