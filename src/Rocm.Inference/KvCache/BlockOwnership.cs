namespace Rocm.Inference.KvCache;

/// <summary>Recounts from the block tables what the pool believes.</summary>
internal static class BlockOwnership
{
    /// <summary>Throws unless every block has as many owners as references, and is owned twice only where its content is known to be the same.</summary>
    public static void Check(BlockPool pool, ReadOnlySpan<KvCacheGroup> groups, ReadOnlySpan<RequestBlocks> holders)
    {
        var owners = new int[pool.NumBlocks];
        for (int h = 0; h < holders.Length; h++)
        {
            RequestBlocks holder = holders[h];
            if (holder.HolderIndex != h) throw new InvalidOperationException($"Request at place {h} believes to be at {holder.HolderIndex}.");
            foreach (KvCacheGroup group in groups) CountOwners(pool, group, holder, owners);
        }

        for (int block = 1; block < owners.Length; block++)
        {
            if (owners[block] != pool.RefCount(block))
            {
                throw new InvalidOperationException($"Block {block} has {owners[block]} owners but {pool.RefCount(block)} references.");
            }

            if (owners[block] > 1 && !pool.IsCached(block)) throw new InvalidOperationException($"Block {block} is shared, yet not by its hash.");
        }
    }

    private static void CountOwners(BlockPool pool, KvCacheGroup group, RequestBlocks holder, int[] owners)
    {
        BlockTable table = holder.TableOf(group.Index);
        ReadOnlySpan<int> blocks = table.Blocks;
        for (int i = 0; i < blocks.Length; i++)
        {
            if (i < table.NumExpired != (blocks[i] == BlockPool.NullBlock))
            {
                throw new InvalidOperationException($"Entry {i} of group {group.Index} is block {blocks[i]}; {table.NumExpired} entries are expired.");
            }

            if (blocks[i] == BlockPool.NullBlock) continue;
            owners[blocks[i]]++;

            // Only full blocks behind the cached mark may be findable, and under this request's own hash.
            bool cached = pool.IsCached(blocks[i]);
            if (cached != (i < holder.NumCachedBlocks(group.Index)) || (cached && !pool.IsCachedAs(blocks[i], holder.ChainOf(group.Index)[i], group.Index)))
            {
                throw new InvalidOperationException($"Entry {i} of group {group.Index}, block {blocks[i]}, is cached wrongly ({cached}).");
            }
        }
    }
}
