namespace Rocm.Inference;

/// <summary>Tokens that a generation read and wrote.</summary>
/// <param name="PromptTokens">Tokens of the prompt.</param>
/// <param name="CachedPromptTokens">Those of them that were found in the prefix cache and not computed again.</param>
/// <param name="GeneratedTokens">Tokens of the answer, including one that ended it.</param>
public sealed record GenerationUsage(int PromptTokens, int CachedPromptTokens, int GeneratedTokens)
{
    /// <summary>Prompt and answer together.</summary>
    public int TotalTokens => PromptTokens + GeneratedTokens;
}
