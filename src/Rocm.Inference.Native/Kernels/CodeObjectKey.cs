using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Rocm.Inference.Native.Hiprtc;

namespace Rocm.Inference.Native.Kernels;

/// <summary>The identity of a compiled code object: SHA-256 over everything that decides its bytes.</summary>
internal readonly record struct CodeObjectKey
{
    internal const int Bytes = SHA256.HashSizeInBytes;

    private CodeObjectKey(string text) => Text = text;

    /// <summary>64 hexadecimal digits.</summary>
    internal string Text { get; }

    /// <summary>Computes the key.</summary>
    /// <param name="source">The translation unit with all its headers.</param>
    /// <param name="options">The compiler's options, in order.</param>
    /// <param name="architecture">The device's architecture with its feature flags.</param>
    /// <param name="compilerVersion">Version of hipRTC, see <see cref="HiprtcCompiler.Version"/>.</param>
    internal static CodeObjectKey Of(HiprtcSource source, IReadOnlyList<string> options, string architecture, string compilerVersion)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Append(hash, architecture);
        Append(hash, compilerVersion);
        Append(hash, options.Count.ToString(CultureInfo.InvariantCulture));
        foreach (string option in options) Append(hash, option);
        Append(hash, source.Name);
        Append(hash, source.Text);
        foreach (HiprtcHeader header in source.Headers)
        {
            Append(hash, header.IncludeName);
            Append(hash, header.Text);
        }

        return new CodeObjectKey(Convert.ToHexStringLower(hash.GetHashAndReset()));
    }

    /// <summary>Computes the key of something else that is kept for a device.</summary>
    /// <param name="facts">Everything that decides what it is, in order.</param>
    internal static CodeObjectKey Of(IReadOnlyList<string> facts)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (string fact in facts) Append(hash, fact);
        return new CodeObjectKey(Convert.ToHexStringLower(hash.GetHashAndReset()));
    }

    // The length before each text: "ab" + "c" must not be "a" + "bc".
    private static void Append(IncrementalHash hash, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        Span<byte> length = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(length, bytes.Length);
        hash.AppendData(length);
        hash.AppendData(bytes);
    }
}
