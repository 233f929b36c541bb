using System.Text;

namespace Rocm.Inference.Native.Interop;

/// <summary>Texts as zero-terminated UTF-8 in one array: pinned once, they become a char** without native memory.</summary>
internal readonly struct Utf8Texts
{
    private readonly int[] _offsets;

    internal Utf8Texts(IReadOnlyList<string> texts)
    {
        _offsets = new int[texts.Count];
        int length = 0;
        for (int i = 0; i < texts.Count; i++)
        {
            _offsets[i] = length;
            length += Encoding.UTF8.GetByteCount(texts[i]) + 1;
        }

        // One byte at least: an empty array has no address.
        Bytes = new byte[length + 1];
        for (int i = 0; i < texts.Count; i++) Encoding.UTF8.GetBytes(texts[i], Bytes.AsSpan(_offsets[i]));
    }

    internal byte[] Bytes { get; }

    internal int Count => _offsets.Length;

    /// <summary>Writes the addresses of the texts.</summary>
    /// <param name="pinned">Address of <see cref="Bytes"/>.</param>
    /// <param name="pointers">Room for <see cref="Count"/> addresses.</param>
    internal unsafe void Point(byte* pinned, byte** pointers)
    {
        for (int i = 0; i < _offsets.Length; i++) pointers[i] = pinned + _offsets[i];
    }
}
