using System.Runtime.CompilerServices;

namespace Rocm.Inference.Tokenization.Patterns;

/// <summary>A set of code points, as a regex class writes it: a bitmap for ASCII, rules for the rest.</summary>
internal sealed class CodePointClass
{
    private readonly uint _categories;
    private readonly bool _whiteSpace;
    private readonly bool _word;
    private readonly (int First, int Last)[] _ranges;
    private readonly CodePointClass[] _parts;
    private readonly CodePointClass? _intersect;
    private readonly bool _negated;
    private readonly ulong _asciiLow;
    private readonly ulong _asciiHigh;

    public CodePointClass(CodePointClassBuilder builder)
    {
        _categories = builder.Categories;
        _whiteSpace = builder.WhiteSpace;
        _word = builder.Word;
        _ranges = [.. builder.Ranges];
        _parts = [.. builder.Parts];
        _intersect = builder.Intersect;
        _negated = builder.Negated;
        for (var c = 0; c < 128; c++)
        {
            if (!Evaluate(c)) continue;
            if (c < 64) _asciiLow |= 1UL << c;
            else _asciiHigh |= 1UL << c - 64;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Contains(int codePoint) =>
        codePoint < 128 ? ((codePoint < 64 ? _asciiLow : _asciiHigh) >> (codePoint & 63) & 1) != 0 : Evaluate(codePoint);

    private bool Evaluate(int codePoint)
    {
        var inside = Union(codePoint) && (_intersect is null || _intersect.Contains(codePoint));
        return inside != _negated;
    }

    private bool Union(int codePoint)
    {
        if (_categories != 0 && (_categories & CodePoints.CategoryBit(codePoint)) != 0) return true;
        if (_whiteSpace && CodePoints.IsWhiteSpace(codePoint)) return true;
        if (_word && CodePoints.IsWord(codePoint)) return true;
        foreach (var (first, last) in _ranges)
        {
            if (codePoint >= first && codePoint <= last) return true;
        }
        foreach (var part in _parts)
        {
            if (part.Contains(codePoint)) return true;
        }
        return false;
    }
}

/// <summary>Collects the members of a <see cref="CodePointClass"/>.</summary>
internal sealed class CodePointClassBuilder
{
    // CJK ideographs by the Script property; the one script that tokenizer patterns name.
    private static readonly (int First, int Last)[] s_han =
    [
        (0x2E80, 0x2E99), (0x2E9B, 0x2EF3), (0x2F00, 0x2FD5), (0x3005, 0x3005), (0x3007, 0x3007), (0x3021, 0x3029), (0x3038, 0x303B),
        (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFA6D), (0xFA70, 0xFAD9), (0x16FE2, 0x16FE3), (0x16FF0, 0x16FF1), (0x20000, 0x2A6DF),
        (0x2A700, 0x2B739), (0x2B740, 0x2B81D), (0x2B820, 0x2CEA1), (0x2CEB0, 0x2EBE0), (0x2EBF0, 0x2EE5D), (0x2F800, 0x2FA1D),
        (0x30000, 0x3134A), (0x31350, 0x323AF),
    ];

    public uint Categories { get; set; }

    public bool WhiteSpace { get; set; }

    public bool Word { get; set; }

    public bool Negated { get; set; }

    public CodePointClass? Intersect { get; set; }

    public List<(int First, int Last)> Ranges { get; } = [];

    public List<CodePointClass> Parts { get; } = [];

    public bool IsEmpty => Categories == 0 && !WhiteSpace && !Word && Ranges.Count == 0 && Parts.Count == 0;

    public void AddHan() => Ranges.AddRange(s_han);

    /// <summary>Adds a range; without regard to case, its ASCII letters in both cases and what Unicode folds to them.</summary>
    public void AddRange(int first, int last, bool ignoreCase)
    {
        Ranges.Add((first, last));
        if (!ignoreCase) return;
        for (var c = 'a'; c <= 'z'; c++)
        {
            var upper = c - 32;
            var long_ = c switch { 's' => 0x17F, 'k' => 0x212A, _ => -1 };
            if (!Holds(c) && !Holds(upper) && (long_ < 0 || !Holds(long_))) continue;
            Ranges.Add((c, c));
            Ranges.Add((upper, upper));
            if (long_ >= 0) Ranges.Add((long_, long_));
        }

        bool Holds(int codePoint) => codePoint >= first && codePoint <= last;
    }
}
