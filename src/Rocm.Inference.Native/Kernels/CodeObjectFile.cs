using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Rocm.Inference.Native.Kernels;

/// <summary>
/// The file format of a cache entry: magic (8), key (32), length of the code (8), SHA-256 of the code (32), code. The key inside makes an entry
/// under another's name as useless as a damaged one.
/// </summary>
internal static class CodeObjectFile
{
    internal const int HeaderBytes = 8 + CodeObjectKey.Bytes + 8 + SHA256.HashSizeInBytes;

    // The last two digits are the version of the format.
    private static ReadOnlySpan<byte> Magic => "ROCMCO01"u8;

    internal static byte[] Compose(CodeObjectKey key, ReadOnlySpan<byte> code)
    {
        byte[] file = new byte[HeaderBytes + code.Length];
        Span<byte> rest = file;
        Magic.CopyTo(rest);
        Convert.FromHexString(key.Text).CopyTo(rest[8..]);
        BinaryPrimitives.WriteInt64LittleEndian(rest[40..], code.Length);
        SHA256.HashData(code, rest[48..]);
        code.CopyTo(rest[HeaderBytes..]);
        return file;
    }

    /// <summary>The code, or null with the defect.</summary>
    internal static byte[]? Read(CodeObjectKey key, ReadOnlySpan<byte> file, out string defect)
    {
        defect = "";
        if (file.Length < HeaderBytes || !file.StartsWith(Magic)) defect = "it is no cache entry";
        else if (!file[8..40].SequenceEqual(Convert.FromHexString(key.Text))) defect = "it belongs to another key";
        else if (BinaryPrimitives.ReadInt64LittleEndian(file[40..]) != file.Length - HeaderBytes) defect = "it is cut short or has grown";
        else if (!file[48..HeaderBytes].SequenceEqual(SHA256.HashData(file[HeaderBytes..]))) defect = "its checksum is wrong";
        return defect.Length == 0 ? file[HeaderBytes..].ToArray() : null;
    }
}
