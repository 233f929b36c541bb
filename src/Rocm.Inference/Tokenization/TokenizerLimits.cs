namespace Rocm.Inference.Tokenization;

/// <summary>Bounds on what a tokenizer file may ask for; far above real files.</summary>
internal static class TokenizerLimits
{
    public const long MaxFileBytes = 256L << 20;
    public const int MaxId = (1 << 24) - 1;
    public const int MaxAddedTokenCharacters = 1024;
    public const int MaxAddedTokensCharacters = 1 << 24;
    public const int MaxReplacementCharacters = 1024;
    public const int MaxTokenCharacters = 1 << 16;

    /// <summary>Unused ids a vocabulary may have besides as many as it has tokens.</summary>
    public const int MaxHoles = 1 << 16;

    /// <summary>Work of backtracking patterns on a text: a base and a share per byte.</summary>
    public const long PatternSteps = 1_000_000;
    public const long PatternStepsPerByte = 1000;
}
