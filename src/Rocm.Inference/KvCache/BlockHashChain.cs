namespace Rocm.Inference.KvCache;

/// <summary>
/// The hashes of one request's full blocks for one block size. Grows with the tokens and survives preemption, because tokens never change.
/// </summary>
internal sealed class BlockHashChain(int blockSize, BlockHash? salt, int capacity = 0)
{
    private BlockHash[] _hashes = capacity == 0 ? [] : new BlockHash[capacity];

    public int BlockSize => blockSize;

    public int Count { get; private set; }

    public ref readonly BlockHash this[int index] => ref _hashes.AsSpan(0, Count)[index];

    /// <summary>Computes the missing hashes of all blocks that <paramref name="tokens"/> (from position 0) fills.</summary>
    public void Extend(ReadOnlySpan<int> tokens, BlockHasher hasher)
    {
        int numFull = tokens.Length / blockSize;
        if (numFull > _hashes.Length) Array.Resize(ref _hashes, Math.Max(numFull, Math.Max(16, _hashes.Length * 2)));
        for (int i = Count; i < numFull; i++)
        {
            BlockHash parent = i == 0 ? hasher.Root : _hashes[i - 1];
            _hashes[i] = hasher.Hash(parent, tokens.Slice(i * blockSize, blockSize), i == 0 ? salt : null);
        }

        Count = Math.Max(Count, numFull);
    }
}
