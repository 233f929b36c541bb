namespace Rocm.Inference;

/// <summary>Facts about a loaded model.</summary>
public sealed record ModelInfo
{
    /// <summary>Name of the model's folder.</summary>
    public required string Name { get; init; }

    /// <summary>Full path of the model's folder.</summary>
    public required string Path { get; init; }

    /// <summary>Architecture as in <c>config.json</c>, for example <c>LlamaForCausalLM</c>.</summary>
    public required string Architecture { get; init; }

    /// <summary>Tokens that the model knows: rows of its logits.</summary>
    public required int VocabSize { get; init; }

    /// <summary>Longest sequence that the model was made for, in tokens.</summary>
    public required int ContextLength { get; init; }

    /// <summary>Longest sequence that this session accepts, prompt and answer together, in tokens.</summary>
    public required int MaxModelLen { get; init; }

    /// <summary>Number of layers.</summary>
    public int NumLayers { get; init; }

    /// <summary>Width of the hidden state.</summary>
    public int HiddenSize { get; init; }

    /// <summary>Query heads of an attention layer.</summary>
    public int NumQoHeads { get; init; }

    /// <summary>Key/value heads of an attention layer.</summary>
    public int NumKvHeads { get; init; }

    /// <summary>Number of parameters; 0 when unknown.</summary>
    public long ParameterCount { get; init; }

    /// <summary>Resident bytes of the weights; 0 when unknown.</summary>
    public long WeightBytes { get; init; }

    /// <summary>Element type of the weights.</summary>
    public DType DType { get; init; }

    /// <summary>Element type of the KV cache.</summary>
    public DType KvCacheDType { get; init; }

    /// <summary>Bytes of the KV cache.</summary>
    public long KvCacheBytes { get; init; }

    /// <summary>Tokens that fit the KV cache, over all requests.</summary>
    public long KvCacheTokens { get; init; }

    /// <summary>
    /// Whose kernels multiply with 8-bit weights, those of experts aside: "cpu", "hip" (this library's) or "aiter" (AMD's assembly kernels, where they are installed,
    /// fit, and may round activations to 8 bits).
    /// </summary>
    public string LinearProvider { get; init; } = "";

    /// <summary>On a GPU why AITER's kernels do not multiply with 8-bit weights, or which weights and numbers of rows they leave to this library's; a sentence each.</summary>
    public IReadOnlyList<string> LinearProviderReasons { get; init; } = [];

    /// <summary>
    /// Whose kernels compute the experts of a mixture: "cpu", "hip" (this library's) or "aiter" (AMD's assembly kernels, where they are installed and fit); null for
    /// a model without experts.
    /// </summary>
    public string? ExpertsProvider { get; init; }

    /// <summary>On a GPU why AITER's kernels do not compute the experts, or what of them they leave to this library's; a sentence each.</summary>
    public IReadOnlyList<string> ExpertsProviderReasons { get; init; } = [];
}
