using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace Rocm.Inference.Tokenization;

/// <summary>Byte strings to ids, by open addressing: looking a piece up allocates nothing. Built once, then immutable.</summary>
internal sealed class TokenTable
{
    private readonly byte[] _bytes;
    private readonly Entry[] _entries;
    private readonly int _mask;

    /// <param name="tokens">Distinct, non-empty byte strings with their ids.</param>
    public TokenTable(List<(byte[] Bytes, int Id)> tokens)
    {
        var total = 0L;
        foreach (var (bytes, _) in tokens) total += bytes.Length;
        _bytes = new byte[total];
        _entries = new Entry[(int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, tokens.Count * 2))];
        _mask = _entries.Length - 1;
        var offset = 0;
        foreach (var (bytes, id) in tokens)
        {
            bytes.CopyTo(_bytes, offset);
            var hash = Hash(bytes);
            var slot = (int)hash & _mask;
            while (_entries[slot].Length != 0) slot = slot + 1 & _mask;
            _entries[slot] = new Entry((uint)(hash >> 32), bytes.Length, offset, id);
            offset += bytes.Length;
            LongestToken = Math.Max(LongestToken, bytes.Length);
        }
    }

    public int LongestToken { get; }

    /// <summary>The id of a byte string with the given <see cref="Hash"/>, or -1.</summary>
    public int Find(ReadOnlySpan<byte> bytes, ulong hash)
    {
        var check = (uint)(hash >> 32);
        var slot = (int)hash & _mask;
        while (true)
        {
            ref readonly var entry = ref _entries[slot];
            if (entry.Length == 0) return -1;
            if (entry.Check == check && entry.Length == bytes.Length && _bytes.AsSpan(entry.Offset, entry.Length).SequenceEqual(bytes))
            {
                return entry.Id;
            }
            slot = slot + 1 & _mask;
        }
    }

    public int Find(ReadOnlySpan<byte> bytes) => Find(bytes, Hash(bytes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Hash(ReadOnlySpan<byte> bytes)
    {
        const ulong Prime = 0x9E3779B97F4A7C15;
        var hash = (ulong)bytes.Length * Prime;
        while (bytes.Length >= 8)
        {
            hash = Mix(hash ^ BinaryPrimitives.ReadUInt64LittleEndian(bytes));
            bytes = bytes[8..];
        }
        ulong tail = 0;
        if (bytes.Length >= 4)
        {
            tail = BinaryPrimitives.ReadUInt32LittleEndian(bytes) | (ulong)BinaryPrimitives.ReadUInt32LittleEndian(bytes[^4..]) << 32;
        }
        else if (bytes.Length > 0)
        {
            tail = (ulong)bytes[0] << 16 | (ulong)bytes[bytes.Length >> 1] << 8 | bytes[^1];
        }
        return Mix(hash ^ tail);

        static ulong Mix(ulong value)
        {
            var high = Math.BigMul(value ^ 0xA0761D6478BD642F, Prime, out var low);
            return high ^ low;
        }
    }

    private readonly record struct Entry(uint Check, int Length, int Offset, int Id);
}
