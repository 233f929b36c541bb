using Rocm.Inference.KvCache;

namespace Rocm.Inference.Engine;

/// <summary>
/// How much memory the KV cache gets: what is free, less weights and scratch, within the options. Made before any weight is uploaded, so that a
/// model which cannot fit is refused with the numbers instead of failing half way.
/// </summary>
/// <param name="NumBlocks">Blocks of the pool, the null block included.</param>
/// <param name="MaxModelLen">Longest sequence that the cache can hold, at most what was wanted.</param>
/// <param name="CacheBytes">Memory of the cache.</param>
internal sealed record KvMemoryPlan(int NumBlocks, int MaxModelLen, long CacheBytes)
{
    /// <summary>What the plan is made from. All sizes in bytes.</summary>
    internal readonly record struct Needs
    {
        /// <summary>Layer groups with their block sizes.</summary>
        public required IReadOnlyList<KvCacheGroup> Groups { get; init; }

        /// <summary>One block over all storage slots.</summary>
        public required long BlockBytes { get; init; }

        /// <summary>Free memory before anything of the model is allocated.</summary>
        public required long AvailableBytes { get; init; }

        public required long WeightBytes { get; init; }

        /// <summary>Scratch arena and step metadata.</summary>
        public required long ScratchBytes { get; init; }

        /// <summary>Share of what is left that the cache takes when no size is given.</summary>
        public required double Fraction { get; init; }

        /// <summary>Size of the cache that the options ask for, or null.</summary>
        public long? CacheBytes { get; init; }

        /// <summary>Longest sequence that is wanted.</summary>
        public required int WantedModelLen { get; init; }

        /// <summary>True when the options ask for that length: then it is met or refused.</summary>
        public bool IsModelLenExplicit { get; init; }

        public required int MaxNumRequests { get; init; }

        public required int MaxNumBatchedTokens { get; init; }
    }

    /// <exception cref="DeviceMemoryException">It cannot fit; the message has the numbers and the options to change.</exception>
    public static KvMemoryPlan Make(in Needs needs)
    {
        long left = needs.AvailableBytes - needs.WeightBytes - needs.ScratchBytes;
        if (left < needs.BlockBytes * 2)
        {
            throw Refuse(
                needs.WeightBytes + needs.ScratchBytes + (needs.BlockBytes * 2), needs.AvailableBytes,
                $"weights take {Mega(needs.WeightBytes)} and scratch {Mega(needs.ScratchBytes)}, which leaves no room for a KV cache",
                $"free memory, use a smaller model, or lower {nameof(InferenceSessionOptions.MaxNumBatchedTokens)}");
        }

        if (needs.CacheBytes is { } asked && asked > left)
        {
            throw Refuse(
                asked, left, $"{nameof(InferenceSessionOptions.KvCacheMemoryBytes)} asks for {Mega(asked)}",
                $"lower it to at most {Mega(left)}");
        }

        long budget = needs.CacheBytes ?? (long)(left * needs.Fraction);
        long enough = (long)needs.MaxNumRequests * PeakBlocks(needs, needs.WantedModelLen);
        int numUsable = (int)Math.Min(int.MaxValue - 1, Math.Min((budget / needs.BlockBytes) - 1, enough));
        int length = LongestThatFits(needs, numUsable);
        if (length < needs.WantedModelLen && (needs.IsModelLenExplicit || length < 2))
        {
            long wanted = (PeakBlocks(needs, needs.WantedModelLen) + 1) * needs.BlockBytes;
            throw Refuse(
                wanted, budget,
                $"one sequence of {nameof(InferenceSessionOptions.MaxModelLen)} {needs.WantedModelLen} tokens needs {Mega(wanted)} of KV cache",
                $"lower {nameof(InferenceSessionOptions.MaxModelLen)} to at most {length}, or raise "
                + $"{nameof(InferenceSessionOptions.KvCacheMemoryBytes)} or {nameof(InferenceSessionOptions.KvCacheMemoryFraction)}");
        }

        return new KvMemoryPlan(numUsable + 1, length, (numUsable + 1L) * needs.BlockBytes);
    }

    private static long PeakBlocks(in Needs needs, int length)
    {
        long blocks = 0;
        foreach (KvCacheGroup group in needs.Groups) blocks += group.PeakBlocks(length, Math.Min(length, needs.MaxNumBatchedTokens));
        return blocks;
    }

    private static int LongestThatFits(in Needs needs, int numUsable)
    {
        int low = 0;
        int high = needs.WantedModelLen;
        while (low < high)
        {
            int middle = low + ((high - low + 1) / 2);
            if (PeakBlocks(needs, middle) <= numUsable) low = middle;
            else high = middle - 1;
        }

        return low;
    }

    private static DeviceMemoryException Refuse(long requested, long available, string what, string remedy) =>
        new($"The model does not fit in memory: {what}, and {Mega(available)} is available. To make it fit, {remedy}.")
        {
            RequestedBytes = requested,
            AvailableBytes = available,
        };

    private static string Mega(long bytes) => $"{bytes / 1e6:#,0.#} MB";
}
