namespace Rocm.Inference.Attention.Backends;

/// <summary>Consecutive rows of a batch, with the bounds that kernels ask for.</summary>
/// <param name="FirstRow">First row.</param>
/// <param name="NumRows">Rows.</param>
/// <param name="FirstToken">First new token of the first row.</param>
/// <param name="NumTokens">New tokens of all rows.</param>
/// <param name="MaxQueryLen">Most new tokens of a row.</param>
/// <param name="MaxSeqLen">Bound of the sequence lengths.</param>
internal readonly record struct BatchRegion(int FirstRow, int NumRows, int FirstToken, int NumTokens, int MaxQueryLen, int MaxSeqLen)
{
    /// <summary>Every row.</summary>
    public static BatchRegion All(ForwardBatch batch) => new(0, batch.NumRows, 0, batch.NumTokens, batch.MaxQueryLen, batch.MaxSeqLen);

    public static BatchRegion Of(ForwardBatch batch, int firstRow, int numRows)
    {
        ReadOnlySpan<int> offsets = batch.CuSeqlensQHost, lengths = batch.SeqLensHost;
        int query = 0, length = 0;
        for (int r = firstRow; r < firstRow + numRows; r++)
        {
            query = Math.Max(query, offsets[r + 1] - offsets[r]);
            length = Math.Max(length, lengths[r]);
        }

        if (batch.HasFixedBounds) length = batch.MaxSeqLen;

        return new BatchRegion(firstRow, numRows, offsets[firstRow], offsets[firstRow + numRows] - offsets[firstRow], query, length);
    }

    /// <summary>[NumRows + 1]: the rows' part of <see cref="ForwardBatch.CuSeqlensQ"/>; offsets into all tokens of the step.</summary>
    public TensorView Offsets(ForwardBatch batch) => batch.CuSeqlensQ.Slice(0, FirstRow, NumRows + 1);
}
