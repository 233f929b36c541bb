namespace Rocm.Inference.KvCache;

/// <summary>Counts of the prefix cache since it was created or reset; preempted requests that come back are not counted again.</summary>
/// <param name="NumRequests">Requests admitted after a lookup.</param>
/// <param name="NumQueriedTokens">Their tokens.</param>
/// <param name="NumHitTokens">Those of them that were found.</param>
internal readonly record struct PrefixCacheStatistics(long NumRequests, long NumQueriedTokens, long NumHitTokens);
