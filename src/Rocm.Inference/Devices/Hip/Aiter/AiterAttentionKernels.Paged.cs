using System.Collections.Immutable;
using Rocm.Inference.Native.Aiter;

namespace Rocm.Inference.Devices.Hip.Aiter;

/// <summary>PagedDecode by pa_fwd.</summary>
internal sealed partial class AiterAttentionKernels
{
    // Contexts that come out wrong of kernels for blocks of 16, see AiterPagedDecode.IsWrong.
    private const int FirstWrongLength = 241;
    private const int LastWrongLength = 255;

    // New tokens of a row at most: what verifies drafts, and the ends of prompts.
    private const int MaxPagedQueryLen = 4;

    public void PagedDecode(DeviceContext context, in PagedAttentionArgs args)
    {
        if (ServingPersistent(args) is { } persistent && Decode(context, args, persistent)) return;
        KvCacheView cache = args.Cache;
        nint keyScales = 0, valueScales = 0;
        if (Serving(args) is not { } decode || (IsQuantized(cache) && !_scales.TryGet(HipContext.Of(context), cache, perBlock: false, out keyScales, out valueScales)))
        {
            _own.PagedDecode(context, args);
            return;
        }

        decode.Launch(HipContext.Of(context).Stream, new AiterPagedArguments
        {
            Output = args.Output.Address,
            Query = args.Query.Address,
            Keys = cache.Key.Address,
            Values = cache.Value.Address,
            BlockTable = args.BlockTable.Address,
            ContextLengths = args.SeqLens.Address,
            QueryOffsets = decode.NeedsQueryOffsets ? args.CuSeqlensQ.Address : 0,
            Sequences = args.NumRows,
            BlockTableStride = (int)args.BlockTable.Stride(0),
            QueryRowBytes = (int)args.Query.Stride(0) * DType.BF16.ByteSize(),
            KeyScales = keyScales,
            ValueScales = valueScales,
            BlockBytes = (int)cache.Key.Stride(0) * cache.Key.DType.ByteSize(),
            HeadBytes = (int)cache.Key.Stride(1) * cache.Key.DType.ByteSize(),
            Scale = args.Spec.SoftmaxScale,
        });

        // Rows of these lengths are computed again, by what the device knows of their lengths: a recorded step meets others when it is replayed.
        if (decode.HasWrongContexts && args.MaxSeqLen >= FirstWrongLength) _own.PagedDecode(context, args, FirstWrongLength, LastWrongLength);
    }

    public long PagedDecodeScratchBytes(AttentionSpec spec, in BatchLimits limits) => Math.Max(_own.PagedDecodeScratchBytes(spec, limits), PersistentPagedScratchBytes(spec, limits));

    /// <summary>
    /// AITER's kernel for a call, or null. Rows of single tokens lie one after the other from the first token of the operands; rows of up to four, of which none
    /// is empty, where the offsets say. Times are those of single tokens: both kernels read a row's context once.
    /// </summary>
    private AiterPagedDecode? Serving(in PagedAttentionArgs args)
    {
        AttentionSpec spec = args.Spec;
        if (_library is null || args.NumRows == 0 || args.MaxQueryLen is < 1 or > MaxPagedQueryLen || args.Cache.Layout != KvLayoutKind.Shuffled) return null;
        if (args.Rows != AttentionRows.All && (args.MaxQueryLen > 1 || args.Rows == AttentionRows.MultiToken)) return null;
        if (args.Query.DType != DType.BF16 || args.Query.Stride(1) != spec.HeadDim || !args.Output.IsContiguous) return null;
        if (!ReadsCache(spec.KvDType) || !Prefers(AiterPrimitive.PagedDecode, spec, args.NumRows, args.MaxSeqLen)) return null;
        AiterPagedDecode? decode = Paged(spec, args.Cache.BlockSize, args.Cache.Key.Count * args.Cache.Key.DType.ByteSize(), args.MaxQueryLen).Kernel;
        // Kernels for an exact number of tokens would take every row to have it.
        return args.MaxQueryLen == 1 || decode is { NeedsQueryOffsets: true } ? decode : null;
    }

    private (AiterPagedDecode? Kernel, ImmutableArray<string> Reasons) Paged(AttentionSpec spec, int blockSize, long poolBytes, int queryLength = 1)
    {
        if (!ReadsCache(spec.KvDType)) return (null, CacheRefusals(spec.KvDType));
        AiterPagedShape shape = ShapeOf(spec, blockSize, poolBytes) with { MaxQueryLength = queryLength };
        if (_paged.TryGetValue(shape, out (AiterPagedDecode? Kernel, ImmutableArray<string> Reasons) known)) return known;
        AiterPagedDecode? decode = AiterPagedDecode.TryCreate(_library!, shape, out ImmutableArray<string> reasons);
        return _paged[shape] = (decode, reasons);
    }

    /// <summary>Most new tokens of a row that AITER's kernels take.</summary>
    private int LongestPagedQuery(AttentionSpec spec, int blockSize)
    {
        int longest = 1;
        while (longest < MaxPagedQueryLen && Paged(spec, blockSize, poolBytes: 0, longest + 1).Kernel is { NeedsQueryOffsets: true }) longest++;
        return longest;
    }

    private static bool IsQuantized(in KvCacheView cache) => cache.Key.DType.ByteSize() == 1;

    private static AiterPagedShape ShapeOf(AttentionSpec spec, int blockSize, long poolBytes) => new()
    {
        Query = AiterDType.Bf16,
        Cache = TypeOf(spec.KvDType),
        Heads = spec.NumQoHeads,
        KvHeads = spec.NumKvHeads,
        // A value head of another width is refused like a key head of that width.
        HeadDim = spec.VHeadDim == spec.HeadDim ? spec.HeadDim : spec.VHeadDim,
        BlockSize = blockSize,
        PoolBytes = poolBytes,
        Features = FeaturesOf(spec),
    };
}
