namespace Rocm.Inference.KvCache;

/// <summary>What must be free beyond a new request's first step, so that it is not admitted only to be preempted.</summary>
/// <param name="NumTokens">Tokens of the request that must fit in the end; 0 asks only for the first step.</param>
/// <param name="MaxStepTokens">Most tokens of one request in a step.</param>
/// <param name="MinFreeBlocks">Blocks that must stay free for those who run already.</param>
internal readonly record struct AdmissionReserve(int NumTokens, int MaxStepTokens, int MinFreeBlocks);
