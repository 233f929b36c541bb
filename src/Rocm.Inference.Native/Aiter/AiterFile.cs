using System.Globalization;
using System.Security;

namespace Rocm.Inference.Native.Aiter;

/// <summary>Reads files of an installation that nobody vouches for: bounded, and every failure is a sentence.</summary>
internal static class AiterFile
{
    /// <summary>Far above the largest code object, 210 KB.</summary>
    internal const int MaxObjectBytes = 16 << 20;

    /// <summary>The file's bytes.</summary>
    /// <param name="path">Where it should be.</param>
    /// <param name="maxBytes">A longer file is refused.</param>
    /// <param name="defect">What is wrong, as a sentence with the path.</param>
    /// <returns>Null with a defect.</returns>
    internal static byte[]? Read(string path, int maxBytes, out string defect)
    {
        try
        {
            // The length comes from the file's metadata: opening a pipe would wait for a writer.
            var file = new FileInfo(path);
            if (file.LinkTarget is not null && file.ResolveLinkTarget(returnFinalTarget: true) is FileInfo target) file = target;
            if (!file.Exists) return Fail($"{path} is missing", out defect);
            if (file.Length == 0) return Fail($"{path} is empty", out defect);
            if (file.Length > maxBytes)
                return Fail(string.Create(CultureInfo.InvariantCulture, $"{path} has {file.Length} bytes; at most {maxBytes} are expected"), out defect);
            using var handle = File.OpenHandle(file.FullName, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            byte[] bytes = new byte[(int)file.Length];
            int length = 0;
            for (int read = -1; length < bytes.Length && read != 0; length += read) read = RandomAccess.Read(handle, bytes.AsSpan(length), length);
            defect = "";
            return length == bytes.Length ? bytes : Fail($"{path} was cut short while it was read", out defect);
        }
        catch (Exception e) when (IsFileError(e))
        {
            return Fail($"{path} cannot be read: {e.Message}", out defect);
        }
    }

    /// <summary>What the file system answers to a path that is wrong in any way.</summary>
    internal static bool IsFileError(Exception e) =>
        e is IOException or UnauthorizedAccessException or SecurityException or ArgumentException or NotSupportedException;

    private static byte[]? Fail(string sentence, out string defect)
    {
        defect = sentence;
        return null;
    }
}
