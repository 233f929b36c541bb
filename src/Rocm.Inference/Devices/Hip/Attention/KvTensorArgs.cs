using System.Runtime.InteropServices;

namespace Rocm.Inference.Devices.Hip.Attention;

/// <summary>K or V of a paged cache as kernels see it (KvTensor of attention/kv_reader.h); strides in elements.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvTensorArgs
{
    private const int WholeRow = 1 << 30;

    public nint Base;
    public long BlockStride, HeadStride, TokenStride, DimStride, ChunkStride;
    public nint Scales;
    public int ScalePerHead, Chunk;

    /// <summary>K, or the latent rows.</summary>
    /// <exception cref="ArgumentException">The view does not have the shape that its layout says.</exception>
    public static KvTensorArgs Key(in KvCacheView cache)
    {
        TensorView view = cache.Key;
        KvTensorArgs tensor = Common(cache, view, cache.KeyScales);
        int x = 16 / view.DType.ByteSize();
        switch (cache.Layout)
        {
            case KvLayoutKind.Nhd:
                return Rows(tensor, cache, view);
            case KvLayoutKind.MlaLatent:
                Expect(cache, view, 3, view.Rank == 3 && view.Dim(1) == cache.BlockSize);
                tensor.TokenStride = view.Stride(1);
                tensor.Chunk = WholeRow;
                return tensor;
            default:
                Expect(cache, view, 5, view.Rank == 5 && view.Dim(3) == cache.BlockSize && view.Dim(4) == x && view.Stride(3) == x);
                tensor.HeadStride = view.Stride(1);
                tensor.TokenStride = x;
                tensor.Chunk = x;
                tensor.ChunkStride = view.Stride(2);
                return tensor;
        }
    }

    /// <summary>V. Not for latent rows, whose front is V.</summary>
    /// <exception cref="ArgumentException">As for <see cref="Key"/>.</exception>
    public static KvTensorArgs Value(in KvCacheView cache)
    {
        TensorView view = cache.Value;
        KvTensorArgs tensor = Common(cache, view, cache.ValueScales);
        int x = 16 / view.DType.ByteSize();
        switch (cache.Layout)
        {
            case KvLayoutKind.Nhd:
                return Rows(tensor, cache, view);
            case KvLayoutKind.VectorizedX:
                Expect(cache, view, 4, view.Rank == 4 && view.Dim(3) == cache.BlockSize);
                tensor.HeadStride = view.Stride(1);
                tensor.DimStride = view.Stride(2);
                tensor.Chunk = cache.BlockSize;
                return tensor;
            case KvLayoutKind.Shuffled:
                Expect(cache, view, 5, view.Rank == 5 && view.Dim(2) * x == cache.BlockSize && view.Dim(4) == x && view.Stride(3) == x);
                tensor.HeadStride = view.Stride(1);
                tensor.DimStride = x;
                tensor.Chunk = x;
                tensor.ChunkStride = view.Stride(2);
                return tensor;
            default:
                throw new ArgumentException($"A cache in the {cache.Layout} layout has no values of its own.", nameof(cache));
        }
    }

    /// <summary>True when V has the tokens of a dim next to each other, not the dims of a token.</summary>
    public static bool IsByDims(KvLayoutKind layout) => layout is KvLayoutKind.VectorizedX or KvLayoutKind.Shuffled;

    /// <summary>KV heads of a cache.</summary>
    public static int NumHeads(in KvCacheView cache) => cache.Layout switch
    {
        KvLayoutKind.MlaLatent => 1,
        KvLayoutKind.Nhd => (int)cache.Key.Dim(2),
        _ => (int)cache.Key.Dim(1),
    };

    /// <summary>Dims of a K row (of a latent row, V included).</summary>
    public static int KeyDim(in KvCacheView cache) => cache.Layout switch
    {
        KvLayoutKind.MlaLatent => (int)cache.Key.Dim(2),
        KvLayoutKind.Nhd => (int)cache.Key.Dim(3),
        _ => (int)(cache.Key.Dim(2) * cache.Key.Dim(4)),
    };

    /// <summary>Dims of a V row; 0 for latent rows.</summary>
    public static int ValueDim(in KvCacheView cache) => cache.Layout switch
    {
        KvLayoutKind.MlaLatent => 0,
        KvLayoutKind.VectorizedX => (int)cache.Value.Dim(2),
        _ => (int)cache.Value.Dim(3),
    };

    /// <summary>The CACHE macro of kernels: −1 for the activation type, else a constant of enum Fp8.</summary>
    /// <exception cref="NotSupportedException">The GPU's kernels do not read such a cache.</exception>
    public static int CacheType(in KvCacheView cache) => cache.Key.DType switch
    {
        DType.BF16 => -1,
        DType.F8E4M3Fn => 0,
        DType.F8E4M3Fnuz => 1,
        DType.F8E5M2 => 2,
        _ => throw new NotSupportedException($"A HIP device reads and writes caches of BF16 and 8-bit floats; found {cache.Key}."),
    };

    /// <summary>True when every vector of 8 dims of a row starts at a multiple of 16 bytes (of 8, in a cache of 8-bit floats).</summary>
    public readonly bool IsVector =>
        ((Base | (nint)((BlockStride | HeadStride | TokenStride | DimStride | ChunkStride) * 2)) & 15) == 0 && (Chunk & 7) == 0;

    private static KvTensorArgs Common(in KvCacheView cache, TensorView view, TensorView scales)
    {
        if (view.IsAbsent || cache.BlockSize <= 0 || view.Rank < 3) throw new ArgumentException($"Expected blocks of {cache.BlockSize} tokens, found {view}.", nameof(cache));
        if (!scales.IsAbsent && (!view.DType.IsFloat8() || scales.DType != DType.F32 || !scales.IsContiguous || (scales.Count != 1 && scales.Count != NumHeads(cache))))
            throw new ArgumentException($"Expected one f32 scale or {NumHeads(cache)} for a cache of 8-bit floats, found {scales} for {view}.", nameof(cache));
        return new KvTensorArgs
        {
            Base = view.Address,
            BlockStride = view.Stride(0),
            Scales = scales.IsAbsent ? 0 : scales.Address,
            ScalePerHead = !scales.IsAbsent && scales.Count > 1 ? 1 : 0,
        };
    }

    private static KvTensorArgs Rows(KvTensorArgs tensor, in KvCacheView cache, TensorView view)
    {
        Expect(cache, view, 4, view.Rank == 4 && view.Dim(1) == cache.BlockSize);
        tensor.HeadStride = view.Stride(2);
        tensor.TokenStride = view.Stride(1);
        tensor.Chunk = WholeRow;
        return tensor;
    }

    private static void Expect(in KvCacheView cache, TensorView view, int rank, bool fits)
    {
        if (!fits || view.Stride(rank - 1) != 1)
            throw new ArgumentException($"{view} is no {cache.Layout} cache in blocks of {cache.BlockSize} tokens.", nameof(cache));
    }
}
