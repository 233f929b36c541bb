using Rocm.Inference.KvCache;
using Rocm.Inference.Sampling;
using Rocm.Inference.Scheduling;

namespace Rocm.Inference.Engine;

/// <summary>
/// What the engine runs its steps on: model, cache memory and devices behind one call, so that the engine knows no device. Made on a loading
/// thread, then used and disposed by the engine's thread only.
/// </summary>
internal interface IModelExecutor : IDisposable
{
    /// <summary>Sizes that the engine and the scheduler keep to.</summary>
    ModelFacts Facts { get; }

    /// <summary>Layer groups of the cache, in the order of a request's block tables.</summary>
    IReadOnlyList<KvCacheGroup> Groups { get; }

    /// <summary>Blocks of the cache, the null block 0 included.</summary>
    int NumBlocks { get; }

    /// <summary>
    /// Runs a step and waits for its ids. <paramref name="sampling"/> has one row per scheduled request that samples, in the step's order, whatever order the
    /// executor lays its rows in; it fills the ids and the asked-for log-probabilities. An exception is a fault: the executor is not used again.
    /// </summary>
    /// <param name="step">What to compute. With no sampling rows, nothing is read back.</param>
    /// <param name="sampling">Parameters in, ids out.</param>
    void Execute(ScheduledStep step, SamplingBatch sampling);
}

/// <summary>Sizes of a loaded model.</summary>
/// <param name="VocabSize">Columns of the logits.</param>
/// <param name="MaxModelLen">Longest sequence, prompt and answer together.</param>
/// <param name="MaxNumBatchedTokens">Most tokens of a step.</param>
/// <param name="MaxNumRequests">Most requests of a step.</param>
internal sealed record ModelFacts(int VocabSize, int MaxModelLen, int MaxNumBatchedTokens, int MaxNumRequests);
