namespace Rocm.Inference.Native.Aiter;

/// <summary>The arguments that all MLA kernels share, section 5.1 of AITER's binary interface.</summary>
internal static class AiterMlaKernarg
{
    internal const int QueryDim = 576;

    internal static int ElementBytes(AiterDType type) => type is AiterDType.Bf16 or AiterDType.Fp16 ? 2 : 1;

    /// <summary>Lays the arguments out.</summary>
    /// <param name="kernarg">The buffer, cleared first.</param>
    /// <param name="arguments">The launch.</param>
    /// <param name="rows">Heads times query tokens, or heads alone where the kernel wants that.</param>
    /// <param name="queryBytes">Bytes of a sequence's queries, or of a token's in prefill.</param>
    /// <param name="directOutput">The kernel is to write the bf16 result, slot 120; persistent kernels: the number of splits.</param>
    internal static void Pack(Span<byte> kernarg, in AiterMlaArguments arguments, int rows, int queryBytes, int directOutput)
    {
        var slots = new KernargSlots(kernarg);
        slots.Set(0x00, arguments.Partials);
        slots.Set(0x10, arguments.PartialLse);
        slots.Set(0x20, arguments.Query);
        slots.Set(0x30, arguments.Cache);
        slots.Set(0x40, arguments.KvOffsets);
        slots.Set(0x50, arguments.KvIndices);
        slots.Set(0x60, arguments.LastPageLengths);
        slots.Set(0x70, arguments.Scale);
        slots.Set(0x80, rows);
        slots.Set(0x90, arguments.Splits);
        slots.Set(0xa0, queryBytes);
        slots.Set(0xb0, arguments.CacheRowBytes);
        slots.Set(0xc0, 0); // log2 of the page: one token
        slots.Set(0xd0, arguments.QueryOffsets);
        slots.Set(0xe0, arguments.SplitOffsets);
        slots.Set(0xf0, arguments.Output);
        slots.Set(0x100, arguments.QueryScale);
        slots.Set(0x110, arguments.CacheScale);
        slots.Set(0x120, directOutput);
        slots.Set(0x130, arguments.Lse);
        slots.Set(0x140, (nint)0);
        slots.Set(0x150, 1); // ranks of context parallelism
        slots.Set(0x160, 0);
    }

    internal static void Check(in AiterMlaArguments arguments)
    {
        if (arguments.Sequences is <= 0 or > 65535) throw new ArgumentException($"1 to 65535 sequences are expected, not {arguments.Sequences}.", nameof(arguments));
        AiterAlignment.Check(arguments.Partials | arguments.Query | arguments.Cache | arguments.Output, "partials, query, cache or output");
        AiterAlignment.Check(arguments.CacheRowBytes, "the cache row");
    }
}
