namespace Rocm.Inference.Conformance.Attention;

/// <summary>What selects a kernel over a paged cache.</summary>
internal readonly record struct PagedShape(AttentionSpec Spec, int Block, KvLayoutKind Layout);
