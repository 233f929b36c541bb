namespace Rocm.Inference.Engine;

/// <summary>What a loader hands to a session. The executor goes to the engine's thread, which disposes it.</summary>
internal sealed record LoadedModel
{
    public required IModelExecutor Executor { get; init; }

    public required Tokenizer Tokenizer { get; init; }

    public required ITextCodec Text { get; init; }

    public required ModelInfo Info { get; init; }

    public required DeviceInfo Device { get; init; }

    public required AttentionSelection Attention { get; init; }

    public required GenerationDefaults Defaults { get; init; }
}
