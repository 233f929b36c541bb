using System.Runtime.InteropServices;

namespace Rocm.Inference.KvCache;

/// <summary>
/// Finds a block by its content: (block hash, layer group) to block. Two requests that compute the same block at once both keep theirs;
/// such duplicates are chained, so that evicting one leaves the others to be found.
/// </summary>
internal sealed class PrefixCache
{
    private const int None = -1;

    private readonly Dictionary<Key, int> _first;
    private readonly BlockHash[] _hash;
    private readonly int[] _group;
    private readonly int[] _nextDuplicate;
    private readonly int[] _previousDuplicate;

    public PrefixCache(int numBlocks)
    {
        // Full size at once: growing in the middle of a step would rehash every entry.
        _first = new Dictionary<Key, int>(numBlocks);
        _hash = new BlockHash[numBlocks];
        _group = new int[numBlocks];
        _nextDuplicate = new int[numBlocks];
        _previousDuplicate = new int[numBlocks];
        Array.Fill(_group, None);
    }

    /// <summary>Blocks that can be found, duplicates included.</summary>
    public int Count { get; private set; }

    public bool Contains(int block) => _group[block] != None;

    public bool IsKey(int block, in BlockHash hash, int group) => _group[block] == group && _hash[block] == hash;

    public bool TryGet(in BlockHash hash, int group, out int block) => _first.TryGetValue(new Key(hash, group), out block);

    public void Add(int block, in BlockHash hash, int group)
    {
        if (Contains(block)) throw new InvalidOperationException($"Block {block} is cached already.");
        _hash[block] = hash;
        _group[block] = group;
        _previousDuplicate[block] = None;
        _nextDuplicate[block] = None;
        ref int first = ref CollectionsMarshal.GetValueRefOrAddDefault(_first, new Key(hash, group), out bool exists);
        if (!exists)
        {
            first = block;
        }
        else
        {
            int second = _nextDuplicate[first];
            _nextDuplicate[first] = block;
            _previousDuplicate[block] = first;
            _nextDuplicate[block] = second;
            if (second != None) _previousDuplicate[second] = block;
        }

        Count++;
    }

    /// <summary>Makes a block unfindable; does nothing when it is not cached.</summary>
    public void Remove(int block)
    {
        if (!Contains(block)) return;
        int previous = _previousDuplicate[block];
        int next = _nextDuplicate[block];
        if (next != None) _previousDuplicate[next] = previous;
        var key = new Key(_hash[block], _group[block]);
        if (previous != None) _nextDuplicate[previous] = next;
        else if (next != None) _first[key] = next;
        else _first.Remove(key);

        _group[block] = None;
        Count--;
    }

    public void Clear()
    {
        _first.Clear();
        Array.Fill(_group, None);
        Count = 0;
    }

    /// <summary>Throws unless every cached block is found, exactly once, under its own key.</summary>
    public void CheckIntegrity()
    {
        int found = 0;
        foreach ((Key key, int first) in _first)
        {
            int previous = None;
            for (int block = first; block != None; block = _nextDuplicate[block])
            {
                if (_group[block] != key.Group || _hash[block] != key.Hash || _previousDuplicate[block] != previous)
                {
                    throw new InvalidOperationException($"Cached block {block} is chained under a key that is not its own.");
                }

                if (++found > Count) throw new InvalidOperationException($"More blocks are found than the count {Count}.");
                previous = block;
            }
        }

        int marked = _group.Count(static group => group != None);
        if (found != Count || marked != Count)
        {
            throw new InvalidOperationException($"Prefix cache finds {found} blocks and marks {marked}, its count says {Count}.");
        }
    }

    private readonly record struct Key(BlockHash Hash, int Group)
    {
        public override int GetHashCode() => Hash.GetHashCode() ^ (Group * 0x5bd1e995);
    }
}
