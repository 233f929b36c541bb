using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Rocm.Inference.KvCache;

/// <summary>
/// Identity of one full block and of everything before it: SHA-256 over the parent's hash, the block's token ids and extra keys.
/// 32 bytes, because a collision would hand one caller's context to another.
/// </summary>
internal readonly record struct BlockHash(ulong Word0, ulong Word1, ulong Word2, ulong Word3)
{
    public const int NumBytes = 32;

    public static BlockHash FromBytes(ReadOnlySpan<byte> bytes) => new(
        BinaryPrimitives.ReadUInt64LittleEndian(bytes),
        BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]),
        BinaryPrimitives.ReadUInt64LittleEndian(bytes[16..]),
        BinaryPrimitives.ReadUInt64LittleEndian(bytes[24..]));

    /// <summary>
    /// A fresh root for one pool. Unpredictable, so that nobody can craft a prompt whose blocks collide in the hash table.
    /// </summary>
    public static BlockHash CreateRandomRoot()
    {
        Span<byte> bytes = stackalloc byte[NumBytes];
        RandomNumberGenerator.Fill(bytes);
        return FromBytes(bytes);
    }

    /// <summary>Digest of a cache salt; of fixed size, whatever length a caller chose.</summary>
    public static BlockHash OfSalt(string salt)
    {
        Span<byte> bytes = stackalloc byte[NumBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(salt), bytes);
        return FromBytes(bytes);
    }

    public void CopyTo(Span<byte> bytes)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, Word0);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[8..], Word1);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[16..], Word2);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[24..], Word3);
    }

    // SHA-256 is uniform already: any word of it is a good hash code.
    public override int GetHashCode() => (int)Word0;
}
