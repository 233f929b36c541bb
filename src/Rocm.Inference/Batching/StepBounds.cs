namespace Rocm.Inference.Batching;

/// <summary>
/// Sizes that the tensors of a decode step take instead of its own, so that other steps look the same to a device that replays this one. Rows are filled
/// up with rows of one token that store nothing, see the null block and are not sampled.
/// </summary>
/// <param name="NumRows">Rows, each of one token; at least the step's.</param>
/// <param name="MaxSeqLen">Bound of the sequence lengths, which the block tables' width follows; at least the step's.</param>
internal readonly record struct StepBounds(int NumRows, int MaxSeqLen);
