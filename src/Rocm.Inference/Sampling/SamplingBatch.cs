namespace Rocm.Inference.Sampling;

/// <summary>Sampling parameters of one row of logits; the unit of every field is that of the public generation options.</summary>
internal struct SamplingRow
{
    /// <summary>0 = greedy.</summary>
    public float Temperature;

    /// <summary>0 = off.</summary>
    public int TopK;

    /// <summary>1 = off.</summary>
    public float TopP;

    /// <summary>0 = off.</summary>
    public float MinP;

    /// <summary>1 = off; over prompt and output tokens.</summary>
    public float RepetitionPenalty;

    /// <summary>0 = off; over output tokens (OpenAI's meaning).</summary>
    public float PresencePenalty;

    /// <summary>0 = off; over output tokens (OpenAI's meaning).</summary>
    public float FrequencyPenalty;

    /// <summary>Key of the generator.</summary>
    public ulong Seed;

    /// <summary>Counter of the generator: index of the token to be drawn within the sequence.</summary>
    public long Position;

    /// <summary>−1 = none, 0 = only the chosen token, n = also the n most likely.</summary>
    public int NumLogprobs;

    /// <summary>[start, end) into <see cref="SamplingBatch.History"/>: tokens that penalties look at.</summary>
    public int HistoryStart, HistoryEnd;

    /// <summary>[start, end) into <see cref="SamplingBatch.Bias"/>.</summary>
    public int BiasStart, BiasEnd;

    /// <summary>Below 1e-5 the distribution is one token for every practical purpose, and 1 / T would overflow.</summary>
    public readonly bool IsGreedy => Temperature < 1e-5f;
}

/// <summary>A token that occurred, with how often it was generated (0 = only in the prompt).</summary>
internal readonly record struct TokenCount(int Id, int OutputCount);

/// <summary>Added to a logit; −∞ forbids the token.</summary>
internal readonly record struct TokenBias(int Id, float Bias);

/// <summary>A token and its natural-log probability under the model (before temperature and truncation).</summary>
internal readonly record struct TokenLogprobEntry(int Id, float Logprob);

/// <summary>
/// One sampling call: rows of parameters in, ids and log-probabilities out. Flat buffers that grow to the largest batch seen and are then
/// reused; devices copy them as they are.
/// </summary>
internal sealed class SamplingBatch
{
    public int NumRows { get; private set; }

    public SamplingRow[] Rows { get; private set; } = [];

    public TokenCount[] History { get; private set; } = [];

    public int HistoryCount { get; private set; }

    public TokenBias[] Bias { get; private set; } = [];

    public int BiasCount { get; private set; }

    /// <summary>[NumRows] chosen ids.</summary>
    public int[] SampledIds { get; private set; } = [];

    /// <summary>[NumRows] log-probability of the chosen id, where asked.</summary>
    public float[] SampledLogprobs { get; private set; } = [];

    /// <summary>[NumRows] of MaxTopLogprobs entries each, sorted from most likely.</summary>
    public TokenLogprobEntry[] TopLogprobs { get; private set; } = [];

    /// <summary>Entries reserved per row in <see cref="TopLogprobs"/>.</summary>
    public int MaxTopLogprobs { get; private set; }

    /// <summary>Starts a batch; rows are then set one by one with <see cref="Rows"/> and the two Add methods, in row order.</summary>
    public void Reset(int numRows, int maxTopLogprobs)
    {
        NumRows = numRows;
        HistoryCount = 0;
        BiasCount = 0;
        MaxTopLogprobs = maxTopLogprobs;
        if (Rows.Length < numRows)
        {
            Rows = new SamplingRow[numRows];
            SampledIds = new int[numRows];
            SampledLogprobs = new float[numRows];
        }

        if (TopLogprobs.Length < numRows * maxTopLogprobs) TopLogprobs = new TokenLogprobEntry[numRows * maxTopLogprobs];
    }

    /// <summary>Gives <see cref="Rows"/> at least so many entries; those after <see cref="NumRows"/> are greedy and want nothing else.</summary>
    public void PadRows(int numRows)
    {
        if (Rows.Length < numRows)
        {
            SamplingRow[] rows = Rows;
            Array.Resize(ref rows, numRows);
            Rows = rows;
            SampledIds = new int[numRows];
            SampledLogprobs = new float[numRows];
        }

        var padding = new SamplingRow { TopP = 1, RepetitionPenalty = 1, NumLogprobs = -1 };
        if (numRows > NumRows) Rows.AsSpan(NumRows, numRows - NumRows).Fill(padding);
    }

    public void AddHistory(TokenCount entry)
    {
        if (HistoryCount == History.Length)
        {
            TokenCount[] buffer = History;
            Array.Resize(ref buffer, Math.Max(256, History.Length * 2));
            History = buffer;
        }

        History[HistoryCount++] = entry;
    }

    public void AddBias(TokenBias entry)
    {
        if (BiasCount == Bias.Length)
        {
            TokenBias[] buffer = Bias;
            Array.Resize(ref buffer, Math.Max(64, Bias.Length * 2));
            Bias = buffer;
        }

        Bias[BiasCount++] = entry;
    }
}
