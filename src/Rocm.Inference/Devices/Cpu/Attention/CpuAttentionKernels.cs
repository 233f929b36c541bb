using Rocm.Inference.Devices.Cpu.Simd;

namespace Rocm.Inference.Devices.Cpu.Attention;

/// <summary>The attention primitives on the host's processors, written once over a vector width; one file an op.</summary>
internal sealed unsafe partial class CpuAttentionKernels<TSimd, TVector>(CpuCrew crew) : IAttentionKernels
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    private static void CheckCache(in KvCacheView cache)
    {
        if (cache.Layout != KvLayoutKind.Nhd)
            throw new NotSupportedException($"The CPU device reads and writes caches in the Nhd layout, not {cache.Layout}.");
        DType type = cache.Key.DType;
        if (type is not (DType.BF16 or DType.F16 or DType.F32) || cache.Value.DType != type)
            throw new NotSupportedException($"The CPU device reads and writes BF16, F16 and F32 caches; found {cache.Key} and {cache.Value}.");
        if (cache.Key.Rank != 4 || cache.Value.Rank != 4 || cache.Key.Stride(3) != 1 || cache.Value.Stride(3) != 1
            || cache.BlockSize <= 0 || cache.Key.Dim(1) != cache.BlockSize || cache.Value.Dim(1) != cache.BlockSize
            || cache.Key.Dim(0) != cache.Value.Dim(0) || cache.Key.Dim(2) != cache.Value.Dim(2))
            throw new ArgumentException($"Expected K and V of [blocks, {cache.BlockSize}, KV heads, head dim]; found {cache.Key} and {cache.Value}.", nameof(cache));
    }

    private static void CheckHeads(TensorView view, long tokens, long heads, long dim, string name)
    {
        if (view.IsAbsent || view.DType != DType.F32 || view.Rank != 3 || view.Dim(0) != tokens || view.Dim(1) != heads || view.Dim(2) != dim
            || view.Stride(2) != 1)
            throw new ArgumentException($"Expected F32[{tokens}, {heads}, {dim}], found {view}.", name);
    }
}

/// <summary>One of K and V of a paged cache in the Nhd layout: where the elements of a position are.</summary>
internal unsafe struct NhdCache
{
    public byte* Address;
    public long BlockBytes;
    public long TokenBytes;
    public long HeadBytes;
    public int BlockSize;
    public long NumBlocks;
    public int Dim;

    public static NhdCache Of(TensorView view)
    {
        int size = view.DType.ByteSize();
        return new NhdCache
        {
            Address = (byte*)view.Address,
            NumBlocks = view.Dim(0),
            BlockSize = (int)view.Dim(1),
            Dim = (int)view.Dim(3),
            BlockBytes = view.Stride(0) * size,
            TokenBytes = view.Stride(1) * size,
            HeadBytes = view.Stride(2) * size,
        };
    }

    public readonly byte* Row(long block, int offset, int head) => Address + (block * BlockBytes) + (offset * TokenBytes) + (head * HeadBytes);
}
