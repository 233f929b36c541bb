namespace Rocm.Inference.Scheduling;

/// <summary>One request's part of a step.</summary>
/// <param name="Request">Whose tokens.</param>
/// <param name="PrefixLen">Tokens that are in the cache before the step.</param>
/// <param name="QueryLen">Tokens to compute: <c>Request.Tokens[PrefixLen..SeqLen]</c>.</param>
/// <param name="NumLogitRows">Last tokens whose logits are needed: 0 for a piece of a prompt that is not its last.</param>
internal readonly record struct ScheduledRow(Request Request, int PrefixLen, int QueryLen, int NumLogitRows)
{
    /// <summary>Tokens in the cache after the step: what attention sees.</summary>
    public int SeqLen => PrefixLen + QueryLen;

    public bool SamplesToken => NumLogitRows > 0;
}
