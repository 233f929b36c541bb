using System.Buffers.Binary;
using System.Globalization;

namespace Rocm.Inference.Native.Tests.Aiter;

/// <summary>Kernel arguments written down by offset, to hold packed ones against.</summary>
internal static class KernargText
{
    /// <summary>The bytes of "offset value" lines: 8 bytes for values that begin with 'p' (pointers), 4 otherwise; zero elsewhere.</summary>
    internal static byte[] Parse(string text, int bytes)
    {
        byte[] kernarg = new byte[bytes];
        foreach (string line in text.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            string[] parts = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            int offset = int.Parse(parts[0], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            string value = parts[1];
            if (value[0] == 'p') BinaryPrimitives.WriteInt64LittleEndian(kernarg.AsSpan(offset), long.Parse(value.AsSpan(1), NumberStyles.HexNumber, CultureInfo.InvariantCulture));
            else if (value.StartsWith("0x", StringComparison.Ordinal)) BinaryPrimitives.WriteUInt32LittleEndian(kernarg.AsSpan(offset), uint.Parse(value.AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture));
            else BinaryPrimitives.WriteInt32LittleEndian(kernarg.AsSpan(offset), int.Parse(value, CultureInfo.InvariantCulture));
        }

        return kernarg;
    }
}
