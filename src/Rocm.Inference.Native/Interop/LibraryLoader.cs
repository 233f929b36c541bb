using System.Collections.Immutable;
using System.Runtime.InteropServices;

namespace Rocm.Inference.Native.Interop;

/// <summary>One search for one library: walks the places in order and keeps what each answered.</summary>
internal sealed class LibraryLoader(RocmLibrary library, RocmSearch search)
{
    private readonly ImmutableArray<LibraryAttempt>.Builder _attempts = ImmutableArray.CreateBuilder<LibraryAttempt>();
    private readonly ImmutableArray<string> _names = library.FileNames(search.Windows);
    private nint _handle;
    private string? _path;

    internal LibraryLoad Run()
    {
        _ = TryFolders() || (search.ExplicitPath is null && TrySystem());
        return new LibraryLoad(_handle, _path, _attempts.ToImmutable());
    }

    private bool TryFolders()
    {
        if (search.ExplicitPath is { } file && File.Exists(file)) return TryFile(file, "explicit path", out _);
        foreach ((string folder, string origin) in search.Folders())
        {
            if (!Directory.Exists(folder))
            {
                Add(folder, origin, "no such file or folder");
                continue;
            }

            foreach (string name in _names)
            {
                string path = Path.Combine(folder, name);
                if (!File.Exists(path)) Add(path, origin, "no such file");
                else if (TryFile(path, origin, out _)) return true;
            }
        }

        return false;
    }

    private bool TrySystem()
    {
        const string Origin = "system loader";
        foreach (string name in _names)
        {
            bool damaged = false;
            foreach (string folder in search.LoaderFolders())
            {
                string path = Path.Combine(folder, name);
                if (!File.Exists(path)) continue;
                if (TryFile(path, Origin, out ElfVerdict verdict)) return true;
                damaged |= verdict == ElfVerdict.Damaged;
            }

            if (damaged) Add(name, Origin, "not tried by name: the loader could meet the damaged file above");
            else if (TryLoad(name, Origin)) return true;
        }

        return false;
    }

    private bool TryFile(string path, string origin, out ElfVerdict verdict)
    {
        verdict = ElfVerdict.Sound;
        if (!search.Windows)
        {
            verdict = ElfImage.Check(path, out string defect);
            if (verdict != ElfVerdict.Sound)
            {
                Add(path, origin, defect);
                return false;
            }
        }

        return TryLoad(path, origin);
    }

    private bool TryLoad(string path, string origin)
    {
        nint handle;
        try
        {
            handle = NativeLibrary.Load(path);
        }
        catch (Exception e) when (e is DllNotFoundException or BadImageFormatException)
        {
            Add(path, origin, LoaderMessage(e.Message));
            return false;
        }

        string[] missing = [.. library.RequiredExports.Where(export => !NativeLibrary.TryGetExport(handle, export, out _))];
        if (missing.Length > 0)
        {
            NativeLibrary.Free(handle);
            Add(path, origin, $"is not the {library.ImportName} library: it does not export {string.Join(", ", missing)}");
            return false;
        }

        Add(path, origin, LibraryAttempt.LoadedMessage);
        (_handle, _path) = (handle, path);
        return true;
    }

    private void Add(string path, string origin, string message) => _attempts.Add(new LibraryAttempt(path, origin, message));

    /// <summary>.NET puts a hint for the developer on the first line and the loader's own words below it.</summary>
    private static string LoaderMessage(string message)
    {
        string[] lines = message.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return lines.Length > 1 ? string.Join(" ", lines.Skip(1)) : message.Trim();
    }
}
