using System.Runtime.InteropServices;

namespace Rocm.Inference.KvCache;

/// <summary>
/// What a prefix lookup found. Belongs to the manager and is overwritten by its next lookup; the blocks are not owned until the request is admitted.
/// </summary>
internal sealed class PrefixHit
{
    private readonly List<int>[] _blocks;

    public PrefixHit(int numGroups)
    {
        _blocks = new List<int>[numGroups];
        for (int group = 0; group < numGroups; group++) _blocks[group] = [];
    }

    /// <summary>Leading tokens that need not be computed; the same for all groups and a multiple of every block size.</summary>
    public int NumTokens { get; internal set; }

    /// <summary>The group's first NumTokens / BlockSize table entries; null blocks where the window has passed.</summary>
    public ReadOnlySpan<int> Blocks(int group) => CollectionsMarshal.AsSpan(_blocks[group]);

    /// <summary>Sets the number of entries of a group; new entries are null blocks.</summary>
    internal Span<int> Resize(int group, int numBlocks)
    {
        List<int> blocks = _blocks[group];
        int before = blocks.Count;
        CollectionsMarshal.SetCount(blocks, numBlocks);
        Span<int> span = CollectionsMarshal.AsSpan(blocks);
        if (numBlocks > before) span[before..].Clear();
        return span;
    }

    internal void Clear()
    {
        NumTokens = 0;
        foreach (List<int> blocks in _blocks) blocks.Clear();
    }
}
