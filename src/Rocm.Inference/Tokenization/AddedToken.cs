using System.Text;

namespace Rocm.Inference.Tokenization;

/// <summary>A token that is looked for in the text before anything else is done to it.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Content">The text that stands for it.</param>
/// <param name="Special">A control token: not recognised in a caller's text unless asked for, and left out when decoding.</param>
/// <param name="Normalized">It is looked for in the normalized text.</param>
/// <param name="SingleWord">It counts only between non-word characters.</param>
/// <param name="LeftStrip">It takes in the white space before it.</param>
/// <param name="RightStrip">It takes in the white space behind it.</param>
internal sealed record AddedToken(
    int Id, string Content, bool Special, bool Normalized, bool SingleWord, bool LeftStrip, bool RightStrip)
{
    /// <summary>What to look for, in UTF-8: the content, normalized if that is where it is looked for. Decoding gives it back, too.</summary>
    public byte[] Pattern(Normalizer? normalizer)
    {
        var bytes = Encoding.UTF8.GetBytes(Content);
        if (!Normalized || normalizer is null) return bytes;
        var output = new ByteBuilder();
        var steps = TokenizerLimits.PatternSteps;
        return normalizer.Apply(bytes, output, ref steps) && output.Length > 0 ? output.Span.ToArray() : bytes;
    }
}
