namespace Rocm.Inference.TestKit;

/// <summary>Shapes of a paged cache and the index of every element, from the definition of the layouts; x = 16 bytes / element size.</summary>
internal sealed record OracleCacheLayout(KvLayoutKind Kind, DType DType, int NumBlocks, int BlockSize, int NumHeads, int KeyDim, int ValueDim)
{
    public int X => 16 / DType.ByteSize();

    public long[] KeyShape => Kind switch
    {
        KvLayoutKind.Nhd => [NumBlocks, BlockSize, NumHeads, KeyDim],
        KvLayoutKind.MlaLatent => [NumBlocks, BlockSize, KeyDim],
        _ => [NumBlocks, NumHeads, KeyDim / X, BlockSize, X],
    };

    public long[] ValueShape => Kind switch
    {
        KvLayoutKind.Nhd => [NumBlocks, BlockSize, NumHeads, ValueDim],
        KvLayoutKind.VectorizedX => [NumBlocks, NumHeads, ValueDim, BlockSize],
        _ => [NumBlocks, NumHeads, BlockSize / X, ValueDim, X],
    };

    /// <summary>Bits of an element that no kernel may let through: NaN.</summary>
    public uint Poison => DType switch
    {
        DType.F32 => uint.MaxValue,
        DType.BF16 or DType.F16 => 0xFFFF,
        DType.F8E4M3Fnuz => 0x80,
        _ => 0xFF,
    };

    public long Key(long slot, int head, int channel)
    {
        (long block, long token) = Math.DivRem(slot, BlockSize);
        return Kind is KvLayoutKind.Nhd or KvLayoutKind.MlaLatent
            ? (((slot * NumHeads) + head) * KeyDim) + channel
            : (((((((block * NumHeads) + head) * (KeyDim / X)) + (channel / X)) * BlockSize) + token) * X) + (channel % X);
    }

    public long Value(long slot, int head, int channel)
    {
        (long block, long token) = Math.DivRem(slot, BlockSize);
        return Kind switch
        {
            KvLayoutKind.Nhd => (((slot * NumHeads) + head) * ValueDim) + channel,
            KvLayoutKind.VectorizedX => (((((block * NumHeads) + head) * ValueDim) + channel) * BlockSize) + token,
            _ => (((((((block * NumHeads) + head) * (BlockSize / X)) + (token / X)) * ValueDim) + channel) * X) + (token % X),
        };
    }

    /// <summary>Poison for every element of K (or of V).</summary>
    public uint[] Poisoned(long[] shape)
    {
        var bits = new uint[shape.Aggregate(1L, (a, b) => a * b)];
        Array.Fill(bits, Poison);
        return bits;
    }

    /// <summary>A cache on a device, without scales.</summary>
    public KvCacheView Upload(PoisonedTensors tensors, uint[] key, uint[]? value) => new()
    {
        Layout = Kind,
        BlockSize = BlockSize,
        Key = tensors.Bits(DType, key, KeyShape),
        Value = value is null ? default : tensors.Bits(DType, value, ValueShape),
    };
}
