using Rocm.Inference.Tokenization.Patterns;

namespace Rocm.Inference.Tokenization;

/// <summary>One step of pre-tokenization. Immutable.</summary>
internal abstract class PreTokenizerStep
{
    /// <param name="input">Text and pieces; may be given back as the result or reused.</param>
    /// <param name="output">An empty list to use for the result.</param>
    /// <param name="atTextStart">The first piece is the start of the caller's text.</param>
    /// <param name="steps">What is left of the work this text may cause.</param>
    /// <returns>The list that has the result.</returns>
    public abstract PieceList Apply(PieceList input, PieceList output, bool atTextStart, ref long steps);
}

/// <summary>What becomes of a match and of the text around it.</summary>
internal enum SplitBehavior
{
    Isolated,
    Removed,
    MergedWithPrevious,
    MergedWithNext,
    Contiguous,
}

/// <summary>Cuts pieces where a pattern matches.</summary>
internal sealed class SplitStep(TextPattern pattern, SplitBehavior behavior, bool invert) : PreTokenizerStep
{
    /// <summary>The pattern, if its matches are just the pieces.</summary>
    public TextPattern? CoveringPattern =>
        pattern.CoversAll && (behavior == SplitBehavior.Isolated || behavior == SplitBehavior.Removed && invert) ? pattern : null;

    public override PieceList Apply(PieceList input, PieceList output, bool atTextStart, ref long steps)
    {
        output.Text.Append(input.Text.Span);
        var text = output.Text.Span;
        foreach (var piece in input.Pieces) Split(text, piece.Start, piece.Start + piece.Length, output, ref steps);
        return output;
    }

    private void Split(ReadOnlySpan<byte> all, int from, int to, PieceList output, ref long steps)
    {
        var text = all[from..to];
        var state = new State(output);
        var done = 0;
        while (pattern.Find(text, done, ref steps, out var start, out var end))
        {
            if (start > done) Take(ref state, from + done, from + start, invert);
            Take(ref state, from + start, from + end, !invert);
            done = end;
        }
        if (done < text.Length) Take(ref state, from + done, to, invert);
        if (state.Held >= 0) output.Add(state.Held, to);
    }

    private void Take(ref State state, int start, int end, bool isMatch)
    {
        var output = state.Output;
        switch (behavior)
        {
            case SplitBehavior.Isolated:
                output.Add(start, end);
                break;
            case SplitBehavior.Removed:
                if (!isMatch) output.Add(start, end);
                break;
            case SplitBehavior.Contiguous:
                if (!state.First && state.LastWasMatch == isMatch) output.Extend(end);
                else output.Add(start, end);
                break;
            case SplitBehavior.MergedWithPrevious:
                if (isMatch && !state.LastWasMatch && !state.First) output.Extend(end);
                else output.Add(start, end);
                break;
            case SplitBehavior.MergedWithNext:
                // A match waits for what follows: another match lets it stand alone, anything else takes it in.
                if (isMatch)
                {
                    if (state.Held >= 0) output.Add(state.Held, start);
                    state.Held = start;
                }
                else
                {
                    output.Add(state.Held >= 0 ? state.Held : start, end);
                    state.Held = -1;
                }
                break;
        }
        state.First = false;
        state.LastWasMatch = isMatch;
    }

    private struct State(PieceList output)
    {
        public readonly PieceList Output = output;
        public bool First = true;
        public bool LastWasMatch;
        public int Held = -1;
    }
}

/// <summary>Rewrites every piece on its own.</summary>
internal abstract class RewriteStep : PreTokenizerStep
{
    public sealed override PieceList Apply(PieceList input, PieceList output, bool atTextStart, ref long steps)
    {
        var text = input.Text.Span;
        var first = atTextStart;
        foreach (var piece in input.Pieces)
        {
            var start = output.Text.Length;
            Rewrite(text.Slice(piece.Start, piece.Length), first && piece.Start == 0, output.Text);
            output.Add(start, output.Text.Length);
            first = false;
        }
        return output;
    }

    protected abstract void Rewrite(ReadOnlySpan<byte> piece, bool atTextStart, ByteBuilder output);
}

/// <summary>Puts a space before a piece that does not begin with one.</summary>
internal sealed class PrefixSpaceStep : RewriteStep
{
    protected override void Rewrite(ReadOnlySpan<byte> piece, bool atTextStart, ByteBuilder output)
    {
        if (piece[0] != ' ') output.Append((byte)' ');
        output.Append(piece);
    }
}

/// <summary>Turns bytes into the characters of byte-level vocabularies, for steps that come later and look at those.</summary>
internal sealed class MapBytesStep : RewriteStep
{
    protected override void Rewrite(ReadOnlySpan<byte> piece, bool atTextStart, ByteBuilder output) => ByteAlphabet.Map(piece, output);
}

internal enum PrependScheme
{
    Always,
    First,
    Never,
}

/// <summary>Replaces spaces by a visible character and may put one before the text.</summary>
internal sealed class MetaspaceStep(byte[] replacement, PrependScheme scheme) : RewriteStep
{
    protected override void Rewrite(ReadOnlySpan<byte> piece, bool atTextStart, ByteBuilder output)
    {
        var prepend = scheme == PrependScheme.Always || scheme == PrependScheme.First && atTextStart;
        if (prepend && piece[0] != ' ' && !piece.StartsWith(replacement)) output.Append(replacement);
        while (true)
        {
            var space = piece.IndexOf((byte)' ');
            if (space < 0) break;
            output.Append(piece[..space]);
            output.Append(replacement);
            piece = piece[(space + 1)..];
        }
        output.Append(piece);
    }
}
