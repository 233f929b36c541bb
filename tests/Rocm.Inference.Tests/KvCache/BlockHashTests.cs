using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Rocm.Inference.KvCache;
using Xunit;

namespace Rocm.Inference.Tests.KvCache;

public sealed class BlockHashTests
{
    private static readonly BlockHash Root = new(1, 2, 3, 4);

    [Fact]
    public void A_link_is_sha256_over_parent_and_little_endian_tokens()
    {
        var message = new byte[32 + 8];
        Root.CopyTo(message);
        BinaryPrimitives.WriteInt32LittleEndian(message.AsSpan(32), 7);
        BinaryPrimitives.WriteInt32LittleEndian(message.AsSpan(36), 70_000);

        BlockHash hash = new BlockHasher(Root, 4).Hash(Root, [7, 70_000], null);

        Assert.Equal(BlockHash.FromBytes(SHA256.HashData(message)), hash);
    }

    [Fact]
    public void The_salt_enters_the_first_block_as_its_digest()
    {
        var message = new byte[32 + 4 + 32];
        Root.CopyTo(message);
        message[32] = 5;
        SHA256.HashData(Encoding.UTF8.GetBytes("tenant ä")).CopyTo(message, 36);

        BlockHash hash = new BlockHasher(Root, 1).Hash(Root, [5], BlockHash.OfSalt("tenant ä"));

        Assert.Equal(BlockHash.FromBytes(SHA256.HashData(message)), hash);
    }

    [Fact]
    public void Equal_blocks_after_different_first_blocks_or_salts_differ()
    {
        BlockHash plain = Chain([1, 2, 9, 9], null)[1];

        Assert.Equal(plain, Chain([1, 2, 9, 9], null)[1]);
        Assert.NotEqual(plain, Chain([1, 3, 9, 9], null)[1]);
        Assert.NotEqual(plain, Chain([1, 2, 9, 9], BlockHash.OfSalt("a"))[1]);
        Assert.NotEqual(Chain([1, 2, 9, 9], BlockHash.OfSalt("b"))[1], Chain([1, 2, 9, 9], BlockHash.OfSalt("a"))[1]);
    }

    [Fact]
    public void A_chain_that_grows_token_by_token_equals_one_computed_at_once()
    {
        int[] tokens = [.. Enumerable.Range(100, 50)];
        var hasher = new BlockHasher(Root, 4);
        var grown = new BlockHashChain(4, null);
        for (int i = 1; i <= tokens.Length; i++)
        {
            grown.Extend(tokens.AsSpan(0, i), hasher);
            Assert.Equal(i / 4, grown.Count);
        }

        var whole = new BlockHashChain(4, null);
        whole.Extend(tokens, hasher);
        for (int i = 0; i < whole.Count; i++) Assert.Equal(whole[i], grown[i]);
    }

    [Fact]
    public void Roots_are_random()
    {
        Assert.NotEqual(BlockHash.CreateRandomRoot(), BlockHash.CreateRandomRoot());
    }

    private static BlockHashChain Chain(int[] tokens, BlockHash? salt)
    {
        var chain = new BlockHashChain(2, salt);
        chain.Extend(tokens, new BlockHasher(Root, 2));
        return chain;
    }
}
