namespace Rocm.Inference.SelfTest.Reference;

/// <summary>Shapes of a paged cache and the place of every element, from the definition of the layouts; x = 16 bytes / element size.</summary>
internal sealed record ReferenceCacheLayout(KvLayoutKind Kind, DType DType, int NumBlocks, int BlockSize, int NumHeads, int KeyDim, int ValueDim)
{
    private bool IsByRows => Kind is KvLayoutKind.Nhd or KvLayoutKind.MlaLatent;

    private int X => 16 / DType.ByteSize();

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

    /// <summary>Index of a channel of K; a slot is block · block size + offset.</summary>
    public long Key(long slot, int head, int channel)
    {
        if (IsByRows) return (((slot * NumHeads) + head) * KeyDim) + channel;
        (long block, long token) = Math.DivRem(slot, BlockSize);
        long row = (((block * NumHeads) + head) * (KeyDim / X)) + (channel / X);
        return (((row * BlockSize) + token) * X) + (channel % X);
    }

    /// <summary>Index of a channel of V.</summary>
    public long Value(long slot, int head, int channel)
    {
        if (IsByRows) return (((slot * NumHeads) + head) * ValueDim) + channel;
        (long block, long token) = Math.DivRem(slot, BlockSize);
        long plane = (block * NumHeads) + head;
        return Kind == KvLayoutKind.VectorizedX
            ? (((plane * ValueDim) + channel) * BlockSize) + token
            : (((((plane * (BlockSize / X)) + (token / X)) * ValueDim) + channel) * X) + (token % X);
    }
}
