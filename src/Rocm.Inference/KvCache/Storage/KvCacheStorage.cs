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

    /// <summary>The view of storage slot <paramref name="slot"/> as a layer of <paramref name="spec"/> sees it.</summary>
    public KvCacheView View(AttentionSpec spec, KvLayoutKind layout, int blockSize, int slot) => layout switch
    {
        KvLayoutKind.Nhd => new KvCacheView
        {
            Layout = layout,
            BlockSize = blockSize,
            Key = _key[slot].View(spec.KvDType, NumBlocks, blockSize, spec.NumKvHeads, spec.HeadDim),
            Value = _value[slot].View(spec.KvDType, NumBlocks, blockSize, spec.NumKvHeads, spec.VHeadDim),
        },
        _ => throw new NotSupportedException($"Cache layout {layout} has no storage in this version; expected {KvLayoutKind.Nhd}."),
    };

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
