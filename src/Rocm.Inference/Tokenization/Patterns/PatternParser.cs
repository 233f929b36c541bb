using System.Globalization;
using System.Text;

namespace Rocm.Inference.Tokenization.Patterns;

/// <summary>
/// Reads the regex subset that tokenizers use: choices, groups, classes with properties and intersections, greedy, lazy and possessive
/// repetition, look-ahead, (?i:...). Whatever else a pattern has is refused with <see cref="FormatException"/>.
/// </summary>
internal sealed class PatternParser
{
    private const int MaxDepth = 32;
    private const int MaxRepeat = 1000;

    private readonly int[] _pattern;
    private int _at;
    private int _depth;
    private bool _ignoreCase;

    private PatternParser(string pattern)
    {
        var runes = new List<int>();
        foreach (var rune in pattern.EnumerateRunes()) runes.Add(rune.Value);
        _pattern = [.. runes];
    }

    public static PatternNode Parse(string pattern)
    {
        var parser = new PatternParser(pattern);
        var node = parser.ParseChoice();
        if (parser._at < parser._pattern.Length) throw parser.Unknown("an unmatched ')'");
        return node;
    }

    private FormatException Unknown(string what) => new($"{what} at character {_at}");

    private bool Next(char c)
    {
        if (_at >= _pattern.Length || _pattern[_at] != c) return false;
        _at++;
        return true;
    }

    private bool Next(string text)
    {
        if (_at + text.Length > _pattern.Length) return false;
        for (var i = 0; i < text.Length; i++)
        {
            if (_pattern[_at + i] != text[i]) return false;
        }
        _at += text.Length;
        return true;
    }

    private int Take(string what) => _at < _pattern.Length ? _pattern[_at++] : throw Unknown($"the end instead of {what}");

    private PatternNode ParseChoice()
    {
        if (++_depth > MaxDepth) throw Unknown($"nesting deeper than {MaxDepth}");
        var options = new List<PatternNode>();
        do options.Add(ParseSequence()); while (Next('|'));
        _depth--;
        return options.Count == 1 ? options[0] : new ChoiceNode(options);
    }

    private SequenceNode ParseSequence()
    {
        var items = new List<PatternNode>();
        while (_at < _pattern.Length && _pattern[_at] is not ('|' or ')')) items.Add(ParseRepeat());
        return new SequenceNode(items);
    }

    private PatternNode ParseRepeat()
    {
        var atom = ParseAtom();
        while (_at < _pattern.Length)
        {
            var braces = false;
            int least, most;
            if (Next('*')) (least, most) = (0, PatternNode.Unbounded);
            else if (Next('+')) (least, most) = (1, PatternNode.Unbounded);
            else if (Next('?')) (least, most) = (0, 1);
            else if (_pattern[_at] == '{') (least, most, braces) = ParseBraces();
            else break;
            var greed = Next('?') ? Greed.Lazy : Greed.Greedy;
            if (greed == Greed.Greedy && _at < _pattern.Length && _pattern[_at] == '+')
            {
                // After braces the plus would be a second repetition, not possession.
                if (braces) throw Unknown("'+' after '}'");
                _at++;
                greed = Greed.Possessive;
            }
            if (atom is LookAheadNode || atom.Nullable && most == PatternNode.Unbounded) throw Unknown("repetition of what may be empty");
            atom = new RepeatNode(atom, least, most, greed);
        }
        return atom;
    }

    private (int Least, int Most, bool Braces) ParseBraces()
    {
        _at++;
        var least = ParseCount();
        var most = least;
        if (Next(',')) most = _at < _pattern.Length && _pattern[_at] == '}' ? PatternNode.Unbounded : ParseCount();
        if (!Next('}') || most < least) throw Unknown("a malformed repetition");
        return (least, most, true);
    }

    private int ParseCount()
    {
        var value = 0;
        var begin = _at;
        while (_at < _pattern.Length && _pattern[_at] is >= '0' and <= '9' && value <= MaxRepeat) value = value * 10 + _pattern[_at++] - '0';
        return _at == begin || value > MaxRepeat ? throw Unknown($"a repetition count outside 0 to {MaxRepeat}") : value;
    }

    private PatternNode ParseAtom()
    {
        if (Next('(')) return ParseGroup();
        if (Next('[')) return new ClassNode(ParseClass());
        var c = _pattern[_at];
        if (c is '*' or '+' or '?' or '{' or '^' or '$') throw Unknown($"'{(char)c}'");
        _at++;
        var builder = new CodePointClassBuilder();
        if (c == '.')
        {
            builder.AddRange('\n', '\n', ignoreCase: false);
            builder.Negated = true;
        }
        else if (c == '\\') AddEscape(builder);
        else builder.AddRange(c, c, FoldsCase(c));
        return new ClassNode(new CodePointClass(builder));
    }

    private PatternNode ParseGroup()
    {
        var outer = _ignoreCase;
        PatternNode node;
        if (Next("?="))
        {
            node = new LookAheadNode(ParseChoice(), negative: false);
        }
        else if (Next("?!"))
        {
            node = new LookAheadNode(ParseChoice(), negative: true);
        }
        else if (Next("?>"))
        {
            node = new RepeatNode(ParseChoice(), 1, 1, Greed.Possessive);
        }
        else
        {
            if (Next("?i:")) _ignoreCase = true;
            else if (!Next("?:") && Next('?')) throw Unknown("a group of an unknown kind");
            node = ParseChoice();
        }
        _ignoreCase = outer;
        if (!Next(')')) throw Unknown("a group that is not closed");
        return node;
    }

    private bool FoldsCase(int codePoint)
    {
        if (!_ignoreCase) return false;
        var rune = new Rune(codePoint);
        if (codePoint >= 128 && Rune.IsLetter(rune)) throw Unknown("a letter outside ASCII without regard to case");
        return true;
    }

    private CodePointClass ParseClass()
    {
        if (++_depth > MaxDepth) throw Unknown($"nesting deeper than {MaxDepth}");
        var builder = new CodePointClassBuilder { Negated = Next('^') };
        while (true)
        {
            if (_at >= _pattern.Length) throw Unknown("a class that is not closed");
            if (Next(']')) break;
            if (Next("[:")) throw Unknown("a POSIX bracket");
            if (Next('[')) builder.Parts.Add(ParseClass());
            else if (Next("&&"))
            {
                builder.Intersect = ParseRestOfClass();
                break;
            }
            else ParseMember(builder);
        }
        if (builder.IsEmpty) throw Unknown("an empty class");
        _depth--;
        return new CodePointClass(builder);
    }

    /// <summary>The right side of an intersection: everything up to the bracket that closes the class.</summary>
    private CodePointClass ParseRestOfClass()
    {
        var builder = new CodePointClassBuilder();
        while (!Next(']'))
        {
            if (_at >= _pattern.Length) throw Unknown("a class that is not closed");
            if (Next("&&")) throw Unknown("a second '&&'");
            if (Next('[')) builder.Parts.Add(ParseClass());
            else ParseMember(builder);
        }
        if (builder.IsEmpty) throw Unknown("an empty class");
        return new CodePointClass(builder);
    }

    private void ParseMember(CodePointClassBuilder builder)
    {
        var first = Take("a class member");
        if (first == '\\')
        {
            var literal = AddEscape(builder, inClass: true);
            if (literal < 0) return;
            first = literal;
        }
        var last = first;
        if (_at + 1 < _pattern.Length && _pattern[_at] == '-' && _pattern[_at + 1] is not (']' or '['))
        {
            _at++;
            last = Take("the end of a range");
            if (last == '\\') last = AddEscape(builder, inClass: true);
            if (last < first) throw Unknown("a malformed range");
        }
        builder.AddRange(first, last, FoldsCase(first) && FoldsCase(last));
    }

    /// <summary>
    /// Adds what an escape stands for. In a class a plain character is returned instead, since a range may follow; -1 if it was a set.
    /// </summary>
    private int AddEscape(CodePointClassBuilder builder, bool inClass = false)
    {
        var c = Take("an escaped character");
        int literal;
        switch (c)
        {
            case 's' or 'S' or 'd' or 'D' or 'w' or 'W' or 'p' or 'P':
                AddSet(builder, c);
                return -1;
            case 'r': literal = '\r'; break;
            case 'n': literal = '\n'; break;
            case 't': literal = '\t'; break;
            case 'f': literal = '\f'; break;
            case 'v': literal = '\v'; break;
            case 'u': literal = ParseHex(4); break;
            case 'x': literal = Next('{') ? ParseHex(-1) : ParseHex(2); break;
            default:
                if (c < 128 && char.IsAsciiLetterOrDigit((char)c)) throw Unknown($"the escape '\\{(char)c}'");
                literal = c;
                break;
        }
        if (!inClass) builder.AddRange(literal, literal, FoldsCase(literal));
        return literal;
    }

    private void AddSet(CodePointClassBuilder builder, int kind)
    {
        var set = new CodePointClassBuilder { Negated = kind is 'S' or 'D' or 'W' or 'P' };
        if (kind is 's' or 'S') set.WhiteSpace = true;
        else if (kind is 'd' or 'D') set.Categories = Categories.Named("Nd");
        else if (kind is 'w' or 'W') set.Word = true;
        else
        {
            var name = new StringBuilder();
            if (Next('{'))
            {
                if (Next('^')) set.Negated = !set.Negated;
                while (!Next('}')) name.Append(new Rune(Take("'}'")).ToString());
            }
            else name.Append(new Rune(Take("a property")).ToString());
            var property = name.ToString();
            // Which letters a case property holds when case is ignored differs between engines.
            if (_ignoreCase && property is "Lu" or "Ll" or "Lt") throw Unknown("a case property without regard to case");
            set.Categories = Categories.Named(property);
            if (property == "Han") set.AddHan();
            else if (set.Categories == 0) throw Unknown($"the property '{property}'");
        }
        builder.Parts.Add(new CodePointClass(set));
    }

    private int ParseHex(int digits)
    {
        var text = new StringBuilder();
        while (digits < 0 ? !Next('}') : text.Length < digits)
        {
            var c = Take("a hexadecimal digit");
            if (c >= 128 || !char.IsAsciiHexDigit((char)c) || text.Length >= 6) throw Unknown("a malformed hexadecimal escape");
            text.Append((char)c);
        }
        return int.TryParse(text.ToString(), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value) && Rune.IsValid(value)
            ? value
            : throw Unknown("a hexadecimal escape that is no character");
    }
}
