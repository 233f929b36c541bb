using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Rocm.Inference.KvCache;

/// <summary>
/// Computes the links of block hash chains. One per manager: it owns the scratch buffer, so that hashing allocates nothing. Not thread safe.
/// </summary>
internal sealed class BlockHasher
{
    private readonly byte[] _message;

    public BlockHasher(BlockHash root, int maxBlockSize)
    {
        Root = root;
        _message = new byte[2 * BlockHash.NumBytes + maxBlockSize * sizeof(int)];
    }

    /// <summary>Parent of every first block.</summary>
    public BlockHash Root { get; }

    /// <summary>Hash of one full block.</summary>
    /// <param name="parent">Hash of the block before, or <see cref="Root"/>.</param>
    /// <param name="tokens">The block's token ids; hashed as 32-bit little endian.</param>
    /// <param name="salt">Extra key of a first block. Later blocks inherit it through their parent.</param>
    public BlockHash Hash(in BlockHash parent, ReadOnlySpan<int> tokens, in BlockHash? salt)
    {
        parent.CopyTo(_message);
        int length = BlockHash.NumBytes;
        if (BitConverter.IsLittleEndian)
        {
            MemoryMarshal.AsBytes(tokens).CopyTo(_message.AsSpan(length));
        }
        else
        {
            for (int i = 0; i < tokens.Length; i++)
            {
                BinaryPrimitives.WriteInt32LittleEndian(_message.AsSpan(length + i * sizeof(int)), tokens[i]);
            }
        }

        // Block sizes within a group are equal, so the message length alone tells a salted block from an unsalted one.
        length += tokens.Length * sizeof(int);
        if (salt is { } extra)
        {
            extra.CopyTo(_message.AsSpan(length));
            length += BlockHash.NumBytes;
        }

        Span<byte> digest = stackalloc byte[BlockHash.NumBytes];
        SHA256.HashData(_message.AsSpan(0, length), digest);
        return BlockHash.FromBytes(digest);
    }
}
