using System.Buffers.Binary;

namespace Rocm.Inference.Devices.Cpu.Panels;

/// <summary>Packs 48 rows of 8-bit or 4-bit floats and their scales into the sections of a panel. Elements keep their bits.</summary>
internal static unsafe class ScaledPanelPacker
{
    // The power of two that elements lack when their bits lie in a float's places: the difference of the exponents' biases.
    private const int E4M3FnExponent = 127 - 7;
    private const int E4M3FnuzExponent = 127 - 8;
    private const int E5M2Exponent = 127 - 15;

    /// <param name="format">A format with scales.</param>
    /// <param name="parts">The matrices in output order.</param>
    /// <param name="numParts">How many.</param>
    /// <param name="columns">K.</param>
    /// <param name="first">First row of the panel.</param>
    /// <param name="rows">48 addresses of the rows' bytes; null past the last row.</param>
    /// <param name="panel">The panel.</param>
    /// <returns>False when a scale is too large for the format.</returns>
    public static bool Pack(PanelFormat format, PanelPart* parts, int numParts, int columns, long first, byte** rows, byte* panel)
    {
        byte** section = stackalloc byte*[Panel.Width];
        int perByte = Panel.ElementsPerWord(format) / sizeof(uint);
        bool fits = true;
        for (int k = 0; k < columns; k += Panel.SectionLength)
        {
            int count = Math.Min(Panel.SectionLength, columns - k);
            int bytes = (count + perByte - 1) / perByte;
            for (int j = 0; j < Panel.Width; j++)
            {
                section[j] = rows[j] == null ? null : rows[j] + (k / perByte);
                if (section[j] == null) continue;
                ref readonly PanelPart part = ref Find(parts, numParts, first + j, out long row);
                if (format == PanelFormat.F4E2M1) StoreExponents(part, row, k, count, panel + j);
                else fits &= StoreScale(part, row, k, new ReadOnlySpan<byte>(section[j], bytes), (float*)panel + j);
            }

            panel += Panel.SectionHeader;
            PanelPacker.Pack8(section, bytes, (uint*)panel);

            // Readers take 8-bit elements from the highest byte down, where a float has its sign and exponent, and 4-bit ones from the lowest up.
            int words = (bytes + sizeof(uint) - 1) / sizeof(uint) * Panel.Width;
            var packed = new Span<uint>(panel, words);
            if (format != PanelFormat.F4E2M1) BinaryPrimitives.ReverseEndianness(packed, packed);
            panel += words * sizeof(uint);
        }

        return fits;
    }

    private static ref readonly PanelPart Find(PanelPart* parts, int numParts, long row, out long rowOfPart)
    {
        int i = 0;
        for (; i < numParts - 1 && row >= parts[i].Rows; i++) row -= parts[i].Rows;
        rowOfPart = row;
        return ref parts[i];
    }

    private static void StoreExponents(in PanelPart part, long row, int k, int count, byte* header)
    {
        for (int block = 0; block < count; block += 32, header += Panel.Width) *header = part.Scales.ExponentAt(row, k + block);
    }

    // A NaN element makes its output NaN whatever it is multiplied with, and so does a NaN scale: readers of the formats without infinity need
    // not look for it.
    private static bool StoreScale(in PanelPart part, long row, int k, ReadOnlySpan<byte> elements, float* scale)
    {
        float value = part.Scales.At(row, k);
        bool nan = false;
        switch (part.DType)
        {
            case DType.F8E4M3Fn:
                nan = elements.IndexOfAny((byte)0x7F, (byte)0xFF) >= 0;
                *scale = MathF.ScaleB(value, E4M3FnExponent);
                break;
            case DType.F8E4M3Fnuz:
                nan = elements.Contains((byte)0x80);
                *scale = MathF.ScaleB(value, E4M3FnuzExponent);
                break;
            default:
                *scale = MathF.ScaleB(value, E5M2Exponent);
                break;
        }

        bool fits = !float.IsFinite(value) || float.IsFinite(*scale);
        if (nan) *scale = float.NaN;
        return fits;
    }
}
