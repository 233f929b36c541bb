using Rocm.Inference.KvCache;
using Xunit;

namespace Rocm.Inference.Tests.KvCache;

public sealed class BlockPoolTests
{
    private readonly BlockPool _pool = new(6);

    [Fact]
    public void The_null_block_is_never_allocated()
    {
        int[] blocks = Take(5);

        Assert.Equal([1, 2, 3, 4, 5], blocks.Order());
        Assert.Equal(0, _pool.NumFreeBlocks);
        Assert.Equal(5, _pool.NumUsedBlocks);
        _pool.CheckIntegrity();
    }

    [Fact]
    public void The_null_block_is_never_freed()
    {
        _pool.Free(BlockPool.NullBlock);
        _pool.Free([0, 0]);

        Assert.Equal(5, _pool.NumFreeBlocks);
        _pool.CheckIntegrity();
    }

    [Fact]
    public void An_allocation_larger_than_what_is_free_takes_nothing()
    {
        Take(3);
        var table = new BlockTable();

        Assert.False(_pool.TryAllocate(3, table));
        Assert.Equal(0, table.Count);
        Assert.Equal(2, _pool.NumFreeBlocks);
        _pool.CheckIntegrity();
    }

    [Fact]
    public void A_freed_block_with_a_hash_goes_to_the_tail_of_the_queue()
    {
        int block = Take(1)[0];
        _pool.AddToCache(block, Hash(1), 0);

        _pool.Free(block);

        Assert.Equal([2, 3, 4, 5, block], Take(5));
        _pool.CheckIntegrity();
    }

    [Fact]
    public void A_freed_block_without_a_hash_is_reused_first()
    {
        int[] blocks = Take(2);

        _pool.Free(blocks[0]);

        Assert.Equal(blocks[0], _pool.NextFreeBlock);
        _pool.CheckIntegrity();
    }

    [Fact]
    public void A_sequence_is_freed_in_reverse_so_that_its_tail_is_evicted_before_its_prefix()
    {
        int[] blocks = Take(3);
        for (int i = 0; i < 3; i++) _pool.AddToCache(blocks[i], Hash(i), 0);

        _pool.Free(blocks);

        Assert.Equal([4, 5, blocks[2], blocks[1], blocks[0]], Take(5));
        _pool.CheckIntegrity();
    }

    [Fact]
    public void A_freed_block_stays_hit_able_until_it_is_reused()
    {
        int block = Take(1)[0];
        _pool.AddToCache(block, Hash(7), 0);
        _pool.Free(block);

        Take(4);
        Assert.True(_pool.TryGetCached(Hash(7), 0, out int found));
        Assert.Equal(block, found);
        _pool.CheckIntegrity();

        Take(1);
        Assert.False(_pool.TryGetCached(Hash(7), 0, out _));
        Assert.Equal(0, _pool.NumCachedBlocks);
        _pool.CheckIntegrity();
    }

    [Fact]
    public void A_touched_free_block_leaves_the_middle_of_the_queue()
    {
        int[] blocks = Take(5);
        for (int i = 0; i < 5; i++) _pool.AddToCache(blocks[i], Hash(i), 0);
        _pool.Free(blocks);

        _pool.Touch(blocks[2]);
        _pool.Touch(blocks[2]);

        Assert.Equal(2, _pool.RefCount(blocks[2]));
        Assert.Equal(4, _pool.NumFreeBlocks);
        _pool.CheckIntegrity();
        Assert.Equal([blocks[4], blocks[3], blocks[1], blocks[0]], Take(4));
    }

    [Fact]
    public void A_shared_block_is_free_only_when_its_last_owner_lets_go()
    {
        int block = Take(1)[0];
        _pool.AddToCache(block, Hash(1), 0);
        _pool.Touch(block);

        _pool.Free(block);
        Assert.Equal(4, _pool.NumFreeBlocks);
        _pool.Free(block);

        Assert.Equal(5, _pool.NumFreeBlocks);
        _pool.CheckIntegrity();
    }

    [Fact]
    public void Freeing_a_block_that_nobody_owns_is_an_error()
    {
        Assert.Throws<InvalidOperationException>(() => _pool.Free(3));
        _pool.CheckIntegrity();
    }

    [Fact]
    public void The_group_is_part_of_the_key()
    {
        int block = Take(1)[0];
        _pool.AddToCache(block, Hash(1), 1);

        Assert.False(_pool.TryGetCached(Hash(1), 0, out _));
        Assert.True(_pool.TryGetCached(Hash(1), 1, out _));
        _pool.CheckIntegrity();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void When_one_of_several_equal_blocks_is_evicted_the_others_are_still_found(int evicted)
    {
        int[] blocks = Take(5);
        for (int i = 0; i < 3; i++) _pool.AddToCache(blocks[i], Hash(1), 0);
        _pool.CheckIntegrity();

        _pool.Free(blocks[evicted]);
        Assert.Equal([blocks[evicted]], Take(1));

        Assert.Equal(2, _pool.NumCachedBlocks);
        Assert.True(_pool.TryGetCached(Hash(1), 0, out int found));
        Assert.Contains(found, blocks[..3].Where((_, i) => i != evicted));
        _pool.CheckIntegrity();
    }

    [Fact]
    public void The_cache_is_reset_only_when_no_block_is_in_use()
    {
        int[] blocks = Take(2);
        _pool.AddToCache(blocks[0], Hash(1), 0);
        Assert.False(_pool.TryResetCache());
        Assert.Equal(1, _pool.NumCachedBlocks);

        _pool.Free(blocks);
        Assert.True(_pool.TryResetCache());

        Assert.False(_pool.TryGetCached(Hash(1), 0, out _));
        Assert.Equal(0, _pool.NumCachedBlocks);
        _pool.CheckIntegrity();
    }

    private static BlockHash Hash(int value) => new((ulong)value, 1, 2, 3);

    private int[] Take(int count)
    {
        var table = new BlockTable();
        Assert.True(_pool.TryAllocate(count, table));
        return table.Blocks.ToArray();
    }
}
