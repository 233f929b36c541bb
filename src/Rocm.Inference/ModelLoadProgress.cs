namespace Rocm.Inference;

/// <summary>What loading is doing.</summary>
public enum ModelLoadPhase
{
    /// <summary>Reads configuration files and the headers of the weights.</summary>
    Configuration,

    /// <summary>Reads the tokenizer.</summary>
    Tokenizer,

    /// <summary>Reads and packs weights; <see cref="ModelLoadProgress.Total"/> counts bytes.</summary>
    Weights,

    /// <summary>Plans memory, allocates the KV cache and starts the engine.</summary>
    Engine,

    /// <summary>Done: always the last report of a successful load.</summary>
    Ready,
}

/// <summary>
/// How far loading is. Reports never go back, in phase or in number; numbers are absolute, so that a late report does no harm, and a phase
/// with many steps reports at most some twenty times a second.
/// </summary>
/// <param name="Phase">The phase.</param>
/// <param name="Done">Units done in this phase.</param>
/// <param name="Total">Units of this phase; 0 when unknown.</param>
public readonly record struct ModelLoadProgress(ModelLoadPhase Phase, long Done, long Total)
{
    /// <summary>Share of this phase that is done, in [0, 1].</summary>
    public double Fraction => Total <= 0 ? (Phase == ModelLoadPhase.Ready ? 1 : 0) : Math.Clamp((double)Done / Total, 0, 1);
}
