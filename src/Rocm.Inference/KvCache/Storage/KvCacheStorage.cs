namespace Rocm.Inference.KvCache.Storage;

/// <summary>
/// Device memory of the cache: one K and one V tensor per storage slot, each [blocks, …]. The j-th layer of every layer group uses slot j:
/// a block belongs to one group at a time, so groups share the slots' bytes block by block. K and V are separate tensors.
/// </summary>
internal sealed class KvCacheStorage : IDisposable
{
    private readonly DeviceBuffer[] _key;
    private readonly DeviceBuffer[] _value;

    private KvCacheStorage(DeviceBuffer[] key, DeviceBuffer[] value, int numBlocks)
    {
        _key = key;
        _value = value;
        NumBlocks = numBlocks;
    }

    /// <summary>Blocks of the pool, the null block included.</summary>
    public int NumBlocks { get; }

    /// <summary>Allocates the memory. Zeroed, so that the null block (block 0) reads as zeros.</summary>
    /// <exception cref="DeviceMemoryException">The device has no room.</exception>
    public static KvCacheStorage Allocate(IDevice device, AttentionSpec spec, int blockSize, int numSlots, int numBlocks)
    {
        var key = new DeviceBuffer[numSlots];
        var value = new DeviceBuffer[spec.Kind == AttentionKind.Mha ? numSlots : 0];
        try
        {
            for (int slot = 0; slot < numSlots; slot++)
            {
                key[slot] = device.Allocate(checked(numBlocks * KeyBytes(spec, blockSize)));
                if (value.Length > 0) value[slot] = device.Allocate(checked(numBlocks * ValueBytes(spec, blockSize)));
            }
        }
        catch
        {
            Free(key);
            Free(value);
            throw;
        }

        return new KvCacheStorage(key, value, numBlocks);
    }

    /// <summary>The view of storage slot <paramref name="slot"/> as a layer of <paramref name="spec"/> sees it; without scales, which are the model's.</summary>
    /// <exception cref="ArgumentException">The layout does not divide the head dimension or the block.</exception>
    public KvCacheView View(AttentionSpec spec, KvLayoutKind layout, int blockSize, int slot)
    {
        int x = 16 / spec.KvDType.ByteSize();
        bool splitsKeys = layout is KvLayoutKind.VectorizedX or KvLayoutKind.Shuffled;
        if ((splitsKeys && spec.HeadDim % x != 0) || (layout == KvLayoutKind.Shuffled && blockSize % x != 0))
            throw new ArgumentException($"The {layout} layout of {spec.KvDType} needs a head dimension (and, shuffled, a block) in multiples of {x}; found {spec.HeadDim} and {blockSize}.", nameof(layout));
        TensorView key = layout switch
        {
            KvLayoutKind.Nhd => _key[slot].View(spec.KvDType, NumBlocks, blockSize, spec.NumKvHeads, spec.HeadDim),
            KvLayoutKind.MlaLatent => _key[slot].View(spec.KvDType, NumBlocks, blockSize, spec.KvLoraRank + spec.QkRopeHeadDim),
            _ => _key[slot].View(spec.KvDType, NumBlocks, spec.NumKvHeads, spec.HeadDim / x, blockSize, x),
        };
        TensorView value = layout switch
        {
            KvLayoutKind.Nhd => _value[slot].View(spec.KvDType, NumBlocks, blockSize, spec.NumKvHeads, spec.VHeadDim),
            KvLayoutKind.VectorizedX => _value[slot].View(spec.KvDType, NumBlocks, spec.NumKvHeads, spec.VHeadDim, blockSize),
            KvLayoutKind.Shuffled => _value[slot].View(spec.KvDType, NumBlocks, spec.NumKvHeads, blockSize / x, spec.VHeadDim, x),
            _ => default,
        };
        return new KvCacheView { Layout = layout, BlockSize = blockSize, Key = key, Value = value };
    }

    public void Dispose()
    {
        Free(_key);
        Free(_value);
    }

    private static long KeyBytes(AttentionSpec spec, int blockSize) =>
        (long)blockSize * (spec.Kind == AttentionKind.Mla ? spec.KvLoraRank + spec.QkRopeHeadDim : spec.NumKvHeads * spec.HeadDim)
        * spec.KvDType.ByteSize();

    private static long ValueBytes(AttentionSpec spec, int blockSize) =>
        spec.Kind == AttentionKind.Mla ? 0 : (long)blockSize * spec.NumKvHeads * spec.VHeadDim * spec.KvDType.ByteSize();

    private static void Free(DeviceBuffer[] buffers)
    {
        foreach (DeviceBuffer? buffer in buffers) buffer?.Dispose();
    }
}
