using System.Text.Json;

namespace Rocm.Inference.Models;

/// <summary>
/// A JSON file of a model folder, read strictly: bounded size and depth, no duplicate keys, no comments, no NaN or Infinity.
/// Dispose when reading is done.
/// </summary>
internal sealed class ConfigFile : IDisposable
{
    private const int MaxDepth = 32;
    private readonly JsonDocument _document;

    private ConfigFile(JsonDocument document, string path)
    {
        _document = document;
        Root = new ConfigSection(document.RootElement, path, string.Empty);
    }

    /// <summary>The file's object.</summary>
    public ConfigSection Root { get; }

    /// <summary>Reads a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="maxBytes">Larger files are refused.</param>
    /// <exception cref="ModelLoadException">The file is missing, too large or not a JSON object.</exception>
    public static ConfigFile Read(string path, int maxBytes = 4 << 20)
    {
        try
        {
            // Asked before opening: to open a pipe would wait for its writer.
            if (new FileInfo(path).Length == 0) throw new ModelLoadException("A config file is empty.", path, expected: "a JSON object", found: "0 bytes");
            byte[] json;
            using (FileStream stream = File.OpenRead(path))
            {
                if (stream.Length > maxBytes)
                    throw new ModelLoadException("A config file is too large.", path, expected: $"at most {maxBytes} bytes", found: $"{stream.Length} bytes");
                json = new byte[stream.Length];
                stream.ReadExactly(json);
            }

            return Parse(json, path);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new ModelLoadException("A config file is missing.", path, expected: "a Hugging Face model folder", found: "no such file", innerException: e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ModelLoadException("A config file cannot be read.", path, found: e.Message, innerException: e);
        }
    }

    /// <summary>Parses the bytes of a file.</summary>
    /// <param name="json">UTF-8, with or without a byte order mark.</param>
    /// <param name="path">Path for messages.</param>
    /// <exception cref="ModelLoadException">Not a JSON object.</exception>
    public static ConfigFile Parse(ReadOnlyMemory<byte> json, string path)
    {
        ReadOnlySpan<byte> mark = [0xEF, 0xBB, 0xBF];
        if (json.Span.StartsWith(mark)) json = json[mark.Length..];
        JsonDocument? document = null;
        try
        {
            document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = MaxDepth, AllowDuplicateProperties = false });
            if (document.RootElement.ValueKind == JsonValueKind.Object) return new ConfigFile(document, path);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            document?.Dispose();
            throw new ModelLoadException("A config file is not valid JSON.", path, expected: "a JSON object without duplicate keys, NaN or comments", found: e.Message, innerException: e);
        }

        string found = document.RootElement.ValueKind.ToString();
        document.Dispose();
        throw new ModelLoadException("A config file does not hold a JSON object.", path, expected: "an object", found: found);
    }

    public void Dispose() => _document.Dispose();
}
