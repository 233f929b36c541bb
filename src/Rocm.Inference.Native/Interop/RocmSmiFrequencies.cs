using System.Buffers.Binary;

namespace Rocm.Inference.Native.Interop;

/// <summary>
/// Reads an rsmi_frequencies_t. ROCm 5 has { u32 count, u32 current, u64 hertz[32] }; ROCm 6 put a bool before it and has 33 entries. Written into
/// zeroed memory the two cannot be confused: in the new one the first word is 0 or 1 and the second, the count, is not 0; in the old one the first
/// word is the count, and with a count of 1 the second, an index below the count, is 0.
/// </summary>
internal static class RocmSmiFrequencies
{
    /// <summary>More than twice the larger structure (280 bytes).</summary>
    internal const int BufferBytes = 640;

    private const int MaxCount = 33;
    private const ulong MaxHertz = 100_000_000_000;

    /// <summary>The current frequency and the highest that is supported, in hertz, or null when the bytes are no such structure.</summary>
    internal static (long Current, long Highest)? Read(ReadOnlySpan<byte> buffer)
    {
        uint first = BinaryPrimitives.ReadUInt32LittleEndian(buffer), second = BinaryPrimitives.ReadUInt32LittleEndian(buffer[4..]);
        bool grown = first == 0 || (first == 1 && second != 0);
        uint count = grown ? second : first;
        uint current = grown ? BinaryPrimitives.ReadUInt32LittleEndian(buffer[8..]) : second;
        if (count is 0 or > MaxCount || current >= count) return null;

        ReadOnlySpan<byte> table = buffer[(grown ? 16 : 8)..];
        ulong highest = 0;
        for (int i = 0; i < count; i++)
        {
            ulong hertz = BinaryPrimitives.ReadUInt64LittleEndian(table[(i * 8)..]);
            if (hertz is 0 or > MaxHertz) return null;
            highest = Math.Max(highest, hertz);
        }

        return ((long)BinaryPrimitives.ReadUInt64LittleEndian(table[((int)current * 8)..]), (long)highest);
    }
}
