using Rocm.Inference.Tokenization.Patterns;

namespace Rocm.Inference.Tokenization;

/// <summary>All pre-tokenization steps of a tokenizer. Immutable.</summary>
internal sealed class PreTokenizer(PreTokenizerStep[] steps, bool byteLevel, bool piecesAreMapped)
{
    /// <summary>Pieces are bytes to the vocabulary, not characters.</summary>
    public bool ByteLevel => byteLevel;

    /// <summary>Pieces come out in the characters of byte-level vocabularies and must be turned back.</summary>
    public bool PiecesAreMapped => piecesAreMapped;

    /// <summary>The only step's pattern when its matches are just the pieces, so that no list of pieces is needed.</summary>
    public TextPattern? OnlyPattern { get; } = steps is [SplitStep split] && !piecesAreMapped ? split.CoveringPattern : null;

    /// <summary>There are no steps: the whole text is one piece.</summary>
    public bool IsIdentity => steps.Length == 0;

    /// <summary>Cuts the text of <paramref name="first"/>; <paramref name="second"/> is room to work in.</summary>
    public PieceList Apply(PieceList first, PieceList second, bool atTextStart, ref long budget)
    {
        first.ClearPieces();
        first.Add(0, first.Text.Length);
        var (current, spare) = (first, second);
        foreach (var step in steps)
        {
            spare.Clear();
            var result = step.Apply(current, spare, atTextStart, ref budget);
            if (ReferenceEquals(result, spare)) spare = current;
            current = result;
        }
        return current;
    }
}
