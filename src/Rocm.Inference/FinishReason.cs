namespace Rocm.Inference;

/// <summary>Why a generation ended by itself. Cancelled, failed and disposed generations throw instead.</summary>
public enum FinishReason
{
    /// <summary>The model ended its answer, or produced one of <see cref="GenerationOptions.StopTokenIds"/>.</summary>
    Stop,

    /// <summary>The text contained one of <see cref="GenerationOptions.StopStrings"/>.</summary>
    StopString,

    /// <summary><see cref="GenerationOptions.MaxNewTokens"/> or the end of the context was reached.</summary>
    Length,
}
