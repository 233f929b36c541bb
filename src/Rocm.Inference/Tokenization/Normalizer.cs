using System.Text;
using Rocm.Inference.Tokenization.Patterns;

namespace Rocm.Inference.Tokenization;

/// <summary>Rewrites text (valid UTF-8) before it is split. Immutable.</summary>
internal abstract class Normalizer
{
    /// <summary>Appends the rewritten text to <paramref name="output"/>, or returns false, having appended nothing, if it stays as it is.</summary>
    public abstract bool Apply(ReadOnlySpan<byte> text, ByteBuilder output, ref long steps);
}

/// <summary>Puts a string before every text that is not empty.</summary>
internal sealed class PrependNormalizer(byte[] prefix) : Normalizer
{
    public override bool Apply(ReadOnlySpan<byte> text, ByteBuilder output, ref long steps)
    {
        if (text.IsEmpty) return false;
        output.Append(prefix);
        output.Append(text);
        return true;
    }
}

/// <summary>Replaces every match of a pattern.</summary>
internal sealed class ReplaceNormalizer(TextPattern pattern, byte[] content) : Normalizer
{
    public override bool Apply(ReadOnlySpan<byte> text, ByteBuilder output, ref long steps)
    {
        var done = 0;
        while (pattern.Find(text, done, ref steps, out var start, out var end))
        {
            output.Append(text[done..start]);
            output.Append(content);
            done = end;
            // Replacements that feed each other could grow a text without bound.
            steps -= content.Length;
            if (steps < 0) throw new RocmInferenceException("The normalizer of the tokenizer makes this text far too long; shorten the text.");
        }
        if (done == 0) return false;
        output.Append(text[done..]);
        return true;
    }
}

/// <summary>Removes white space at the ends.</summary>
internal sealed class StripNormalizer(bool left, bool right) : Normalizer
{
    public override bool Apply(ReadOnlySpan<byte> text, ByteBuilder output, ref long steps)
    {
        var start = 0;
        var end = text.Length;
        while (left && start < end && CodePoints.IsWhiteSpace(CodePoints.Decode(text, start, out var length))) start += length;
        while (right && end > start)
        {
            var last = CodePoints.StepBack(text, end);
            if (!CodePoints.IsWhiteSpace(CodePoints.Decode(text, last, out _))) break;
            end = last;
        }
        if (end - start == text.Length) return false;
        output.Append(text[start..end]);
        return true;
    }
}

/// <summary>Lower-cases every code point on its own, without regard to language or position.</summary>
internal sealed class LowercaseNormalizer : Normalizer
{
    private const int DottedCapitalI = 0x130;

    public override bool Apply(ReadOnlySpan<byte> text, ByteBuilder output, ref long steps)
    {
        for (var at = 0; at < text.Length;)
        {
            var codePoint = CodePoints.Decode(text, at, out var length);
            at += length;
            var lower = Rune.ToLowerInvariant(new Rune(codePoint));
            // The one letter whose lower case is two code points.
            if (codePoint == DottedCapitalI) output.Append("i\u0307"u8);
            else output.Advance(lower.EncodeToUtf8(output.Reserve(4)));
        }
        return true;
    }
}

/// <summary>One of the four Unicode normalization forms.</summary>
internal sealed class FormNormalizer(NormalizationForm form) : Normalizer
{
    // .NET takes it for broken text and throws.
    private const char Refused = '\uFFFE';

    /// <summary>
    /// Whether the process can normalize: with invariant globalization .NET returns text outside ASCII unchanged instead of failing.
    /// </summary>
    public static bool IsAvailable() => "e\u0301".Normalize(NormalizationForm.FormC) == "\u00E9";

    public override bool Apply(ReadOnlySpan<byte> text, ByteBuilder output, ref long steps)
    {
        if (Ascii.IsValid(text)) return false;
        var decoded = Encoding.UTF8.GetString(text);
        if (!decoded.Contains(Refused))
        {
            if (decoded.IsNormalized(form)) return false;
            Append(decoded, output);
            return true;
        }
        // Nothing composes with that noncharacter, so its two sides can be normalized alone.
        var parts = decoded.Split(Refused);
        for (var i = 0; i < parts.Length; i++)
        {
            if (i > 0) output.Append("\uFFFE"u8);
            Append(parts[i], output);
        }
        return true;
    }

    private void Append(string text, ByteBuilder output)
    {
        var normalized = text.Normalize(form);
        output.Advance(Encoding.UTF8.GetBytes(normalized, output.Reserve(Encoding.UTF8.GetByteCount(normalized))));
    }
}

/// <summary>Several normalizers in order.</summary>
internal sealed class SequenceNormalizer(Normalizer[] items) : Normalizer
{
    public override bool Apply(ReadOnlySpan<byte> text, ByteBuilder output, ref long steps)
    {
        ByteBuilder? current = null;
        ByteBuilder? spare = null;
        foreach (var item in items)
        {
            var target = spare ?? new ByteBuilder();
            target.Clear();
            if (!item.Apply(current is null ? text : current.Span, target, ref steps)) continue;
            spare = current;
            current = target;
        }
        if (current is null) return false;
        output.Append(current.Span);
        return true;
    }
}
