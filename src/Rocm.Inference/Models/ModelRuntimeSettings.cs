namespace Rocm.Inference.Models;

/// <summary>What a session decides about a model before it is loaded.</summary>
/// <param name="MaxSeqLen">
/// Longest sequence of the session, in tokens. Fixes the rope tables: scalings that depend on the length (dynamic, longrope) are
/// chosen once by this number, because keys already in the cache could not be rotated again when a sequence grows.
/// </param>
/// <param name="KvDType">Element type of the KV cache.</param>
internal readonly record struct ModelRuntimeSettings(int MaxSeqLen, DType KvDType);
