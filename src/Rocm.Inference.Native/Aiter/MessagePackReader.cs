using System.Buffers.Binary;
using System.Text;

namespace Rocm.Inference.Native.Aiter;

/// <summary>
/// Reads MessagePack forward, as much of it as code-object metadata has (maps, arrays, texts, integers, truth values; other values are skipped). Any defect
/// leaves the reader failed, and all later reads answer nothing: callers check once, at the end.
/// </summary>
internal ref struct MessagePackReader(ReadOnlySpan<byte> bytes)
{
    private const int MaxDepth = 16;
    private readonly ReadOnlySpan<byte> _bytes = bytes;
    private int _at;

    internal bool HasFailed { get; private set; }

    /// <summary>Entries of the map that follows, or 0 with a failure.</summary>
    internal int ReadMap() => ReadCount(0x80, 0xde, 2);

    /// <summary>Elements of the array that follows, or 0 with a failure.</summary>
    internal int ReadArray() => ReadCount(0x90, 0xdc, 1);

    internal string ReadText()
    {
        byte tag = Next();
        int length = tag switch
        {
            >= 0xa0 and <= 0xbf => tag & 31,
            0xd9 => Next(),
            0xda => (int)Number(2),
            _ => Fail(),
        };
        return Encoding.UTF8.GetString(Take(length));
    }

    /// <summary>A number that is not negative.</summary>
    internal long ReadNumber()
    {
        byte tag = Next();
        ulong value = tag switch
        {
            <= 0x7f => tag,
            0xcc or 0xd0 => Number(1),
            0xcd or 0xd1 => Number(2),
            0xce or 0xd2 => Number(4),
            0xcf or 0xd3 => Number(8),
            _ => (ulong)Fail(),
        };
        // The signed forms of negative numbers have their top bit set: nothing that is read here is negative.
        bool negative = tag switch { 0xd0 => value > (ulong)sbyte.MaxValue, 0xd1 => value > (ulong)short.MaxValue, 0xd2 => value > int.MaxValue, _ => value > long.MaxValue };
        return negative ? Fail() : (long)value;
    }

    /// <summary>Passes over a value of any kind.</summary>
    internal void Skip() => Skip(0);

    private void Skip(int depth)
    {
        if (depth > MaxDepth)
        {
            Fail();
            return;
        }

        byte tag = HasFailed || _at >= _bytes.Length ? (byte)0xc1 : _bytes[_at];
        switch (tag)
        {
            case (>= 0x80 and <= 0x8f) or 0xde or 0xdf:
                for (int left = 2 * ReadMap(); left > 0 && !HasFailed; left--) Skip(depth + 1);
                break;
            case (>= 0x90 and <= 0x9f) or 0xdc or 0xdd:
                for (int left = ReadArray(); left > 0 && !HasFailed; left--) Skip(depth + 1);
                break;
            default:
                _at++;
                SkipScalar(tag);
                break;
        }
    }

    private void SkipScalar(byte tag) => _ = Take(tag switch
    {
        <= 0x7f or >= 0xe0 or 0xc0 or 0xc2 or 0xc3 => 0,
        <= 0xbf => tag & 31,
        0xc4 or 0xd9 => Next(),
        0xc5 or 0xda => (int)Number(2),
        0xc6 or 0xdb => (int)Math.Min(Number(4), int.MaxValue),
        0xcc or 0xd0 => 1,
        0xcd or 0xd1 or 0xd4 => 2,
        0xd5 => 3,
        0xca or 0xce or 0xd2 => 4,
        0xd6 => 5,
        0xcb or 0xcf or 0xd3 => 8,
        0xd7 => 9,
        0xd8 => 17,
        _ => Fail(),
    });

    private int ReadCount(int small, int wide, int bytesPerEntry)
    {
        byte tag = Next();
        ulong count = (tag & 0xf0) == small ? (ulong)(tag & 15) : tag == wide ? Number(2) : tag == wide + 1 ? Number(4) : (ulong)Fail();
        // Every element has a byte at least: a count beyond that is a lie, and must not drive a loop.
        return count * (ulong)bytesPerEntry > (ulong)(_bytes.Length - Math.Min(_at, _bytes.Length)) ? Fail() : (int)count;
    }

    private byte Next() => Take(1) is [byte value] ? value : (byte)0xc1;

    private ulong Number(int size)
    {
        ReadOnlySpan<byte> digits = Take(size);
        if (digits.Length != size) return 0;
        return size switch
        {
            1 => digits[0],
            2 => BinaryPrimitives.ReadUInt16BigEndian(digits),
            4 => BinaryPrimitives.ReadUInt32BigEndian(digits),
            _ => BinaryPrimitives.ReadUInt64BigEndian(digits),
        };
    }

    private ReadOnlySpan<byte> Take(int length)
    {
        if (HasFailed || (uint)length > (uint)(_bytes.Length - _at))
        {
            Fail();
            return [];
        }

        _at += length;
        return _bytes.Slice(_at - length, length);
    }

    private int Fail()
    {
        HasFailed = true;
        _at = _bytes.Length;
        return 0;
    }
}
