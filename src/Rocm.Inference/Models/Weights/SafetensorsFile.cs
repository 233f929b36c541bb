using System.Buffers.Binary;
using System.IO.MemoryMappedFiles;
using Microsoft.Win32.SafeHandles;

namespace Rocm.Inference.Models.Weights;

/// <summary>
/// A safetensors file, checked completely and mapped read-only. The mapping is owned by a SafeHandle; addresses are valid until disposal.
/// Nothing of the data is read at opening. The file must not be shortened by others while it is mapped: no program survives reading past its end.
/// </summary>
internal sealed class SafetensorsFile : IDisposable
{
    /// <summary>Longest header that is read.</summary>
    public const int MaxHeaderBytes = 100_000_000;

    private const int PrefixBytes = sizeof(ulong);
    private readonly Dictionary<string, TensorInfo> _tensors;
    private readonly MemoryMappedFile _mapping;
    private readonly MemoryMappedViewAccessor _view;
    private readonly nint _base;

    private SafetensorsFile(string path, Dictionary<string, TensorInfo> tensors, MemoryMappedFile mapping, MemoryMappedViewAccessor view)
    {
        Path = path;
        _tensors = tensors;
        _mapping = mapping;
        _view = view;
        // The view's handle lives as long as this object: no counted reference is taken, so that even an abandoned file is unmapped.
        _base = view.SafeMemoryMappedViewHandle.DangerousGetHandle() + (nint)view.PointerOffset;
    }

    /// <summary>Path of the file.</summary>
    public string Path { get; }

    /// <summary>All tensors by name.</summary>
    public IReadOnlyDictionary<string, TensorInfo> Tensors => _tensors;

    /// <summary>True after <see cref="Dispose"/>.</summary>
    public bool IsDisposed => _view.SafeMemoryMappedViewHandle.IsClosed;

    /// <summary>Opens, checks and maps a file.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="ModelLoadException">The file is missing, unreadable, truncated or not a safetensors file.</exception>
    public static SafetensorsFile Open(string path)
    {
        try
        {
            return OpenCore(path);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new ModelLoadException("A weight file is missing.", path, expected: "a safetensors file", found: "no such file", innerException: e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ModelLoadException("A weight file cannot be read.", path, found: e.Message, innerException: e);
        }
    }

    /// <summary>Address of a tensor's first byte. The format does not align data: nothing may be assumed beyond one byte.</summary>
    /// <param name="tensor">A tensor of this file.</param>
    public nint AddressOf(TensorInfo tensor)
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        return _base + (nint)tensor.Offset;
    }

    public void Dispose()
    {
        _view.Dispose();
        _mapping.Dispose();
    }

    private static SafetensorsFile OpenCore(string path)
    {
        // Asked before opening: to open a pipe would wait for its writer.
        long length = new FileInfo(path).Length;
        if (length < PrefixBytes) throw new ModelLoadException("A weight file is truncated.", path, expected: $"at least {PrefixBytes} bytes", found: $"{length} bytes");
        SafeFileHandle handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        MemoryMappedFile? mapping = null;
        MemoryMappedViewAccessor? view = null;
        try
        {
            Dictionary<string, TensorInfo> tensors = ReadHeader(handle, path);
            mapping = MemoryMappedFile.CreateFromFile(handle, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: false);
            view = mapping.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
            return new SafetensorsFile(path, tensors, mapping, view);
        }
        catch
        {
            view?.Dispose();
            mapping?.Dispose();
            handle.Dispose();
            throw;
        }
    }

    private static Dictionary<string, TensorInfo> ReadHeader(SafeFileHandle handle, string path)
    {
        long fileBytes = RandomAccess.GetLength(handle);
        Span<byte> prefix = stackalloc byte[PrefixBytes];
        if (fileBytes < prefix.Length || RandomAccess.Read(handle, prefix, 0) < prefix.Length)
            throw new ModelLoadException("A weight file became shorter while it was read.", path, expected: $"{fileBytes} bytes");
        ulong headerBytes = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        long limit = Math.Min(MaxHeaderBytes, fileBytes - prefix.Length);
        if (headerBytes > (ulong)limit)
        {
            throw new ModelLoadException(
                "The header is larger than the file or than what is accepted; the file is truncated or not a safetensors file.",
                path, expected: $"a header of at most {limit} bytes", found: $"{headerBytes} bytes");
        }

        var json = new byte[headerBytes];
        for (int done = 0; done < json.Length;)
        {
            int read = RandomAccess.Read(handle, json.AsSpan(done), prefix.Length + done);
            if (read == 0) throw new ModelLoadException("A weight file became shorter while it was read.", path, expected: $"{fileBytes} bytes");
            done += read;
        }

        long dataStart = prefix.Length + json.Length;
        return SafetensorsHeader.Parse(json, path, dataStart, fileBytes - dataStart);
    }
}
