namespace Rocm.Inference.Native.Aiter;

/// <summary>
/// What a split decode leaves for the reduce (section 5.4 of AITER's binary interface): float outputs [tokens, splits, heads, 512], each normalized within its split, and float LSE
/// [tokens, splits, heads] by the natural logarithm. A split without a tile writes nothing, and one whose keys a query token does not see writes garbage for
/// that token: only the first <see cref="ValidSplits"/> of a token may be read.
/// </summary>
/// <param name="Tokens">Query tokens of the batch.</param>
/// <param name="Splits">Splits of every sequence.</param>
/// <param name="Heads">Query heads.</param>
/// <param name="KvTile">Tokens of a tile.</param>
internal readonly record struct AiterMlaPartials(int Tokens, int Splits, int Heads, int KvTile)
{
    internal const int ValueDim = 512;

    internal long OutputBytes => (long)Tokens * Splits * Heads * ValueDim * sizeof(float);

    internal long LseBytes => (long)Tokens * Splits * Heads * sizeof(float);

    /// <summary>Splits that a query token may be reduced from: those that have a tile it sees.</summary>
    /// <param name="visible">Keys that the token sees, the context's first so many.</param>
    internal int ValidSplits(int visible) => Math.Min(Splits, (visible + KvTile - 1) / KvTile);

    /// <summary>Row of a token, split and head, in both tensors.</summary>
    internal long Row(int token, int split, int head) => (((long)token * Splits) + split) * Heads + head;
}
