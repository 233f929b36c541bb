using System.Collections.Immutable;
using Rocm.Inference.Devices.Hip.Attention;
using Rocm.Inference.Native.Aiter;

namespace Rocm.Inference.Devices.Hip.Aiter;

/// <summary>Which of AITER's MLA kernels serves a call.</summary>
internal sealed partial class AiterAttentionKernels
{
    // Numbers of heads that AITER's kernels have. Zero heads cost arithmetic and no reading of the cache.
    private static readonly int[] _latentHeads = [8, 16, 32, 64, 128];

    /// <summary>AITER's kernel for a call, or null.</summary>
    private AiterMlaDecode? Serving(in MlaDecodeArgs args)
    {
        TensorView query = args.Query, rope = args.QueryRope;
        if (query.IsAbsent || rope.IsAbsent || query.DType != DType.BF16) return null;
        if (query.Rank != 3 || query.Dim(2) != AiterLatentKernels.LatentDim || rope.Rank != 3 || rope.Dim(2) != AiterLatentKernels.RopeDim) return null;
        if (!HipAttentionKernels.IsVector(query) || !HipAttentionKernels.IsVector(rope) || !HipAttentionKernels.IsVector(args.Output)) return null;
        return Serving(args.Spec, args.Cache, args.NumRows, args.MaxQueryLen, args.MaxSeqLen);
    }

    /// <summary>AITER's kernel for rows over a cache, whatever their queries; or null.</summary>
    private AiterMlaDecode? Serving(AttentionSpec spec, in KvCacheView cache, int numRows, int maxQueryLen, int maxSeqLen)
    {
        TensorView latents = cache.Key;
        if (_library is null || numRows == 0 || maxSeqLen == 0 || maxQueryLen is < 1 or > MaxLatentQueryLen) return null;
        if (cache.Layout != KvLayoutKind.MlaLatent || latents.IsAbsent || latents.DType != spec.KvDType || !ReadsCache(latents.DType)) return null;
        if (latents.DType == DType.BF16 ? !cache.KeyScales.IsAbsent : !cache.KeyScales.IsAbsent && cache.KeyScales.Count != 1) return null;
        int bytes = latents.DType.ByteSize();
        if (latents.Rank != 3 || latents.Dim(2) != LatentRowDim || latents.Stride(0) % latents.Stride(1) != 0) return null;
        if (((latents.Address | (nint)(latents.Stride(1) * bytes)) & (AiterAlignment.Bytes - 1)) != 0) return null;
        if (!Prefers(AiterPrimitive.MlaDecode, spec, numRows, maxSeqLen)) return null;
        return Latent(spec, maxQueryLen, LatentPoolBytes(latents)).Kernel;
    }

    // From the first row of the cache to the end of the last.
    private static long LatentPoolBytes(TensorView latents) =>
        (((latents.Dim(0) - 1) * latents.Stride(0)) + ((latents.Dim(1) - 1) * latents.Stride(1)) + LatentRowDim) * latents.DType.ByteSize();

    // From the first row of a block to that of the next.
    private static int RowsPerBlock(TensorView latents) => (int)(latents.Stride(0) / latents.Stride(1));

    /// <summary>The kernel for rows of one new token, or why there is none.</summary>
    private (AiterMlaDecode? Kernel, ImmutableArray<string> Reasons) Latent(AttentionSpec spec) =>
        spec.KvLoraRank == AiterLatentKernels.LatentDim && spec.QkRopeHeadDim == AiterLatentKernels.RopeDim
            ? Latent(spec, queryLength: 1, poolBytes: 0)
            : (null, [$"AITER's latent rows have {AiterLatentKernels.LatentDim} + {AiterLatentKernels.RopeDim} dims, not {spec.KvLoraRank} + {spec.QkRopeHeadDim}."]);

    private (AiterMlaDecode? Kernel, ImmutableArray<string> Reasons) Latent(AttentionSpec spec, int queryLength, long poolBytes) =>
        ReadsCache(spec.KvDType) ? Latent(LatentShapeOf(spec, queryLength, poolBytes)) : (null, CacheRefusals(spec.KvDType));

    /// <summary>The kernel of the fewest heads that hold those of a shape, or why there is none.</summary>
    private (AiterMlaDecode? Kernel, ImmutableArray<string> Reasons) Latent(in AiterMlaShape shape)
    {
        if (_latent.TryGetValue(shape, out (AiterMlaDecode? Kernel, ImmutableArray<string> Reasons) known)) return known;
        AiterMlaDecode? decode = null;
        var reasons = new List<string>();
        foreach (int heads in _latentHeads)
        {
            if (heads < shape.Heads) continue;
            decode = AiterMlaDecode.TryCreate(_library!, shape with { Heads = heads }, out ImmutableArray<string> refused);
            if (decode is not null) break;
            foreach (string reason in refused) if (!reasons.Contains(reason)) reasons.Add(reason);
        }

        if (decode is null && reasons.Count == 0) reasons.Add($"AITER's kernels have up to {_latentHeads[^1]} heads, not {shape.Heads}.");
        return _latent[shape] = (decode, decode is null ? [.. reasons] : []);
    }

    /// <summary>Most new tokens of a row that AITER's kernels take.</summary>
    private int LongestLatentQuery(AttentionSpec spec)
    {
        int longest = 1;
        while (longest < MaxLatentQueryLen && Latent(spec, longest + 1, poolBytes: 0).Kernel is not null) longest++;
        return longest;
    }

    private static AiterMlaShape LatentShapeOf(AttentionSpec spec, int queryLength, long poolBytes) => new()
    {
        // Its kernels for an fp8 cache take fp8 queries, those for bf16 bf16 ones.
        Query = spec.KvDType.ByteSize() == 1 ? AiterDType.Fp8 : AiterDType.Bf16,
        Cache = TypeOf(spec.KvDType),
        Heads = spec.NumQoHeads,
        QueryLength = queryLength,
        PoolBytes = poolBytes,
        Features = FeaturesOf(spec),
    };

    /// <summary>A kernel that writes results can write these: every row has one token, no head is padding, and nobody asks for the LSE.</summary>
    private static bool TakesResult(in MlaDecodeArgs args, int heads) =>
        args.MaxQueryLen == 1 && args.Query.Dim(0) == args.NumRows && args.Query.Dim(1) == heads && args.Lse.IsAbsent && args.Output.IsContiguous;

    /// <summary>Scratch memory of a row.</summary>
    private static long LatentRowBytes(int heads, int queryLength, int splits, int maxSeqLen)
    {
        long columns = (long)heads * queryLength;
        long partial = splits * ((AiterLatentKernels.LatentDim * sizeof(float)) + sizeof(float));
        return (columns * ((LatentRowDim * DType.BF16.ByteSize()) + partial)) + ((long)maxSeqLen * sizeof(int)) + LatentRowExtraBytes;
    }
}
