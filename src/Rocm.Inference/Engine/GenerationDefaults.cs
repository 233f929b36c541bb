namespace Rocm.Inference.Engine;

/// <summary>What a model's own files say about generating.</summary>
internal sealed record GenerationDefaults
{
    /// <summary>Ids that end an answer: the union of generation_config.json, tokenizer_config.json and config.json.</summary>
    public IReadOnlyList<int> EosTokenIds { get; init; } = [];

    /// <summary>do_sample of generation_config.json: without it, its sampling values are not used.</summary>
    public bool DoSample { get; init; }

    public float? Temperature { get; init; }

    public int? TopK { get; init; }

    public float? TopP { get; init; }

    public float? MinP { get; init; }

    public float? RepetitionPenalty { get; init; }
}
