using System.Text;

namespace Rocm.Inference.Tokenization;

/// <summary>Reads the "normalizer" of tokenizer.json.</summary>
internal static class NormalizerReader
{
    private const string Known = "Sequence, Prepend, Replace, NFC, NFD, NFKC, NFKD, Strip, Lowercase";

    public static Normalizer? Read(JsonPart part, int depth = 0)
    {
        if (part.IsNull) return null;
        if (depth > PartReader.MaxDepth) throw part.Refuse("Normalizers are nested too deep.", $"at most {PartReader.MaxDepth} levels");
        var type = part.Require("type").Text();
        switch (type)
        {
            case "Sequence":
                part.AllowOnly("type", "normalizers");
                var items = new List<Normalizer>();
                foreach (var item in part.Require("normalizers").Items())
                {
                    items.Add(Read(item, depth + 1) ?? throw item.Refuse("A normalizer is missing.", "an object"));
                }
                return items.Count == 0 ? null : new SequenceNormalizer([.. items]);
            case "Prepend":
                part.AllowOnly("type", "prepend");
                return new PrependNormalizer(PartReader.Content(part.Require("prepend")));
            case "Replace":
                part.AllowOnly("type", "pattern", "content");
                return new ReplaceNormalizer(
                    PartReader.Pattern(part.Require("pattern")), PartReader.Content(part.Require("content")));
            case "Strip":
                part.AllowOnly("type", "strip_left", "strip_right");
                return new StripNormalizer(part.Require("strip_left").Flag(), part.Require("strip_right").Flag());
            case "Lowercase":
                part.AllowOnly("type");
                return new LowercaseNormalizer();
            case "NFC": return Form(part, NormalizationForm.FormC);
            case "NFD": return Form(part, NormalizationForm.FormD);
            case "NFKC": return Form(part, NormalizationForm.FormKC);
            case "NFKD": return Form(part, NormalizationForm.FormKD);
            default: throw PartReader.UnknownType(part, "normalizer", Known);
        }
    }

    private static FormNormalizer Form(JsonPart part, NormalizationForm form)
    {
        part.AllowOnly("type");
        if (!FormNormalizer.IsAvailable())
        {
            throw part.Refuse(
                "This tokenizer needs Unicode normalization, which .NET cannot do with InvariantGlobalization or without ICU.",
                "InvariantGlobalization=false and libicu installed", "a process in which normalization does nothing");
        }
        return new FormNormalizer(form);
    }
}
