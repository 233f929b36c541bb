using System.Buffers;
using System.Text;

namespace Rocm.Inference.Native.Interop;

/// <summary>
/// The one field that only hipDeviceProp_t has, the architecture's name. The structure moved between releases: the function of each layout
/// has a name of its own, so the offset follows from the function called, and the text found there is checked before it is believed.
/// </summary>
internal static class HipDeviceProperties
{
    /// <summary>More than twice the larger structure (1472 bytes), so that a grown one still fits.</summary>
    internal const int BufferBytes = 4096;

    /// <summary>Offset of gcnArchName in hipDeviceProp_tR0600 (ROCm 6 and 7).</summary>
    internal const int ArchitectureOffsetR0600 = 1160;

    /// <summary>Offset of gcnArchName in the structure of ROCm 5 (hipDeviceProp_tR0000, 792 bytes).</summary>
    internal const int ArchitectureOffsetR0000 = 396;

    private const int ArchitectureBytes = 256;

    // "gfx90a", "gfx1100", "gfx9-4-generic".
    private static readonly SearchValues<byte> NameBytes = SearchValues.Create("0123456789abcdef-generic"u8);

    /// <summary>Reads "gfx942:sramecc+:xnack-" or null when what lies there is no such name.</summary>
    internal static string? ReadArchitecture(ReadOnlySpan<byte> properties, int offset)
    {
        ReadOnlySpan<byte> field = properties.Slice(offset, ArchitectureBytes);
        int end = field.IndexOf((byte)0);
        if (end <= 0) return null;

        ReadOnlySpan<byte> text = field[..end];
        int cut = text.IndexOf((byte)':');
        ReadOnlySpan<byte> name = cut < 0 ? text : text[..cut];
        if (!name.StartsWith("gfx"u8) || name.Length is < 6 or > 16 || name[3..].ContainsAnyExcept(NameBytes)) return null;
        return text.ContainsAnyExceptInRange((byte)'!', (byte)'~') ? null : Encoding.ASCII.GetString(text);
    }
}
