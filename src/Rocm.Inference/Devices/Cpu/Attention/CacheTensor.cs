using System.Runtime.CompilerServices;

namespace Rocm.Inference.Devices.Cpu.Attention;

/// <summary>
/// Where the elements of K or of V are in a paged cache, in any layout. A token's elements of a head come in runs of <see cref="Run"/> consecutive
/// channels: the whole head (Nhd, MlaLatent), x of them (K of VectorizedX and Shuffled), or single ones (their V, where neighbours in memory
/// are tokens).
/// </summary>
internal unsafe struct CacheTensor
{
    private const int ChunkBytes = 16;

    public byte* Address;
    public DType DType;
    public int ElementBytes;
    public long NumBlocks;
    public int BlockSize;
    public int NumHeads;
    public int Dim;

    /// <summary>Channels that lie side by side.</summary>
    public int Run;
    public long BlockBytes;
    public long HeadBytes;

    /// <summary>From a run to the next of the same token.</summary>
    public long RunBytes;

    /// <summary>Tokens are <see cref="TokenBytes"/> apart within groups, which are <see cref="GroupBytes"/> apart. A block is one group but in V of Shuffled.</summary>
    public int TokensPerGroup;
    public long TokenBytes;
    public long GroupBytes;

    /// <summary>Per head when <see cref="ScaleStride"/> is 1, one when it is 0; null: 1.</summary>
    public float* Scales;
    public int ScaleStride;

    public readonly long NumSlots => NumBlocks * BlockSize;

    /// <summary>Channel 0 of a token.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly byte* At(long block, int offset, int head)
    {
        byte* start = Address + (block * BlockBytes) + (head * HeadBytes);
        if (TokensPerGroup == BlockSize) return start + (offset * TokenBytes);
        (int group, int token) = Math.DivRem(offset, TokensPerGroup);
        return start + (group * GroupBytes) + (token * TokenBytes);
    }

    /// <summary>True when every row starts where the same row of <paramref name="other"/> does: V as the front of latent rows.</summary>
    public readonly bool SharesRowsOf(in CacheTensor other) =>
        Address == other.Address && DType == other.DType && Dim <= other.Dim && Run == Dim && other.Run == other.Dim
        && BlockBytes == other.BlockBytes && TokenBytes == other.TokenBytes && HeadBytes == other.HeadBytes;

    /// <summary>True when every row lies where it does in <paramref name="other"/>, but for the address of the tensor, in whole cache lines.</summary>
    public readonly bool IsLaidOutLike(in CacheTensor other) =>
        DType == other.DType && Dim == other.Dim && Run == Dim && other.Run == Dim && BlockSize == other.BlockSize
        && BlockBytes == other.BlockBytes && TokenBytes == other.TokenBytes && HeadBytes == other.HeadBytes && ((Address - other.Address) & 63) == 0;

    public readonly float Scale(int head) => Scales == null ? 1 : Scales[head * ScaleStride];

    /// <summary>K, or the latent rows.</summary>
    /// <exception cref="ArgumentException">The view does not have the shape that its layout says, or a type that no cache has.</exception>
    public static CacheTensor Key(in KvCacheView cache)
    {
        CacheTensor tensor = Common(cache, cache.Key, cache.KeyScales);
        int x = ChunkBytes / tensor.ElementBytes, block = cache.BlockSize;
        switch (cache.Layout)
        {
            case KvLayoutKind.Nhd:
                return Rows(tensor, cache, cache.Key, cache.KeyScales);
            case KvLayoutKind.MlaLatent:
                Expect(cache, cache.Key, 3, cache.Key.Rank == 3 && cache.Key.Dim(1) == block);
                tensor.NumHeads = 1;
                tensor.Dim = (int)cache.Key.Dim(2);
                tensor.Run = tensor.Dim;
                tensor.TokenBytes = cache.Key.Stride(1) * tensor.ElementBytes;
                return CheckScales(tensor, cache.KeyScales);
            default:
                TensorView view = cache.Key;
                Expect(cache, view, 5, view.Rank == 5 && view.Dim(3) == block && view.Dim(4) == x && view.Stride(3) == x);
                tensor.NumHeads = (int)view.Dim(1);
                tensor.Dim = (int)view.Dim(2) * x;
                tensor.Run = x;
                tensor.HeadBytes = view.Stride(1) * tensor.ElementBytes;
                tensor.RunBytes = view.Stride(2) * tensor.ElementBytes;
                tensor.TokenBytes = ChunkBytes;
                return CheckScales(tensor, cache.KeyScales);
        }
    }

    /// <summary>V. Not for latent rows, whose front is V.</summary>
    /// <exception cref="ArgumentException">As for <see cref="Key"/>.</exception>
    public static CacheTensor Value(in KvCacheView cache)
    {
        CacheTensor tensor = Common(cache, cache.Value, cache.ValueScales);
        int x = ChunkBytes / tensor.ElementBytes, block = cache.BlockSize;
        TensorView view = cache.Value;
        switch (cache.Layout)
        {
            case KvLayoutKind.Nhd:
                return Rows(tensor, cache, view, cache.ValueScales);
            case KvLayoutKind.VectorizedX:
                Expect(cache, view, 4, view.Rank == 4 && view.Dim(3) == block);
                tensor.NumHeads = (int)view.Dim(1);
                tensor.Dim = (int)view.Dim(2);
                tensor.RunBytes = view.Stride(2) * tensor.ElementBytes;
                break;
            case KvLayoutKind.Shuffled:
                Expect(cache, view, 5, view.Rank == 5 && view.Dim(2) * x == block && view.Dim(4) == x && view.Stride(3) == x);
                tensor.NumHeads = (int)view.Dim(1);
                tensor.Dim = (int)view.Dim(3);
                tensor.RunBytes = ChunkBytes;
                tensor.TokensPerGroup = x;
                tensor.GroupBytes = view.Stride(2) * tensor.ElementBytes;
                break;
            default:
                throw new ArgumentException($"A cache in the {cache.Layout} layout has no values of its own.", nameof(cache));
        }

        tensor.Run = 1;
        tensor.HeadBytes = view.Stride(1) * tensor.ElementBytes;
        tensor.TokenBytes = tensor.ElementBytes;
        return CheckScales(tensor, cache.ValueScales);
    }

    private static CacheTensor Common(in KvCacheView cache, TensorView view, TensorView scales)
    {
        if (view.IsAbsent || !(view.DType is DType.BF16 or DType.F16 or DType.F32 || view.DType.IsFloat8()))
            throw new NotSupportedException($"The CPU device reads and writes caches of BF16, F16, F32 and 8-bit floats; found {view}.");
        if (cache.BlockSize <= 0 || view.Rank < 3) throw new ArgumentException($"Expected blocks of {cache.BlockSize} tokens, found {view}.", nameof(cache));
        return new CacheTensor
        {
            Address = (byte*)view.Address,
            DType = view.DType,
            ElementBytes = view.DType.ByteSize(),
            NumBlocks = view.Dim(0),
            BlockSize = cache.BlockSize,
            BlockBytes = view.Stride(0) * view.DType.ByteSize(),
            TokensPerGroup = cache.BlockSize,
            Scales = scales.IsAbsent ? null : (float*)scales.Address,
            ScaleStride = scales.IsAbsent || scales.Count == 1 ? 0 : 1,
        };
    }

    private static CacheTensor Rows(CacheTensor tensor, in KvCacheView cache, TensorView view, TensorView scales)
    {
        Expect(cache, view, 4, view.Rank == 4 && view.Dim(1) == cache.BlockSize);
        tensor.NumHeads = (int)view.Dim(2);
        tensor.Dim = (int)view.Dim(3);
        tensor.Run = tensor.Dim;
        tensor.HeadBytes = view.Stride(2) * tensor.ElementBytes;
        tensor.TokenBytes = view.Stride(1) * tensor.ElementBytes;
        return CheckScales(tensor, scales);
    }

    private static void Expect(in KvCacheView cache, TensorView view, int rank, bool fits)
    {
        if (!fits || view.Stride(rank - 1) != 1)
            throw new ArgumentException($"{view} is no {cache.Layout} cache in blocks of {cache.BlockSize} tokens.", nameof(cache));
    }

    private static CacheTensor CheckScales(in CacheTensor tensor, TensorView scales)
    {
        if (scales.IsAbsent) return tensor;
        if (!tensor.DType.IsFloat8()) throw new ArgumentException($"Scales belong to caches of 8-bit floats, not of {tensor.DType}.", nameof(scales));
        if (scales.DType != DType.F32 || !scales.IsContiguous || (scales.Count != 1 && scales.Count != tensor.NumHeads))
            throw new ArgumentException($"Expected one f32 scale or {tensor.NumHeads}, found {scales}.", nameof(scales));
        return tensor;
    }
}
