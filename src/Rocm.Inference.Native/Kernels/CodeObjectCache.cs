using System.Globalization;

namespace Rocm.Inference.Native.Kernels;

/// <summary>
/// Compiled code objects on disk, shared by all processes of a user. An entry appears whole or not at all (written aside, then renamed), is checked
/// when it is read, and is made anew when it is damaged; processes that compile the same thing at the same time write the same bytes. Nothing that
/// is wrong with the disk is an error: the caller compiles instead, and <see cref="Problem"/> says why.
/// </summary>
internal sealed class CodeObjectCache
{
    /// <summary>The variable that names the folder.</summary>
    internal const string FolderVariable = "ROCM_INFERENCE_CACHE_DIR";

    private const string TemporaryExtension = ".tmp";
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode WritableByOthers = UnixFileMode.GroupWrite | UnixFileMode.OtherWrite;

    // A process that died while writing; a living one takes milliseconds.
    private static readonly TimeSpan Abandoned = TimeSpan.FromHours(1);

    // Reading renews an entry's age, but not with a write for every process start.
    private static readonly TimeSpan Renewal = TimeSpan.FromHours(12);

    private readonly string _folder;
    private readonly long _maxBytes;
    private readonly string _extension;

    /// <summary>Opens the cache; the folder is made at the first write.</summary>
    /// <param name="folder">Where the entries lie.</param>
    /// <param name="maxBytes">What they may take together; the least recently used go first.</param>
    /// <param name="extension">What their names end in: caches of different things may share a folder.</param>
    internal CodeObjectCache(string folder, long maxBytes = 512L << 20, string extension = ".co")
    {
        _folder = folder;
        _maxBytes = maxBytes;
        _extension = extension;
    }

    internal string Folder => _folder;

    /// <summary>What went wrong last, as a sentence; null when nothing did.</summary>
    internal string? Problem { get; private set; }

    /// <summary>ROCM_INFERENCE_CACHE_DIR, else rocm-inference in XDG_CACHE_HOME, ~/.cache, or the local application data of Windows.</summary>
    internal static CodeObjectCache OfUser() => new(UserFolder(Environment.GetEnvironmentVariable, OperatingSystem.IsWindows()));

    internal static string UserFolder(Func<string, string?> variable, bool windows)
    {
        if (variable(FolderVariable) is { Length: > 0 } named) return Path.GetFullPath(named);
        // The specification has relative paths ignored.
        if (variable("XDG_CACHE_HOME") is { Length: > 0 } caches && Path.IsPathRooted(caches)) return Path.Combine(caches, "rocm-inference");
        string home = windows
            ? Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData)
            : Path.Combine(variable("HOME") is { Length: > 0 } set ? set : Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache");
        return Path.Combine(home, "rocm-inference");
    }

    /// <summary>The code object from the cache, else from <paramref name="compile"/>, whose result is kept.</summary>
    internal byte[] GetOrCompile(CodeObjectKey key, Func<byte[]> compile)
    {
        if (TryRead(key) is { } cached) return cached;
        byte[] code = compile();
        Write(key, code);
        return code;
    }

    /// <summary>The entry, or null when there is none or it is damaged; a damaged one is deleted.</summary>
    internal byte[]? TryRead(CodeObjectKey key)
    {
        string path = PathOf(key);
        try
        {
            if (!IsTrusted() || !File.Exists(path)) return null;
            byte[] file = File.ReadAllBytes(path);
            if (CodeObjectFile.Read(key, file, out string defect) is not { } code)
            {
                Problem = $"{path} was damaged ({defect}) and is made anew.";
                File.Delete(path);
                return null;
            }

            if (DateTime.UtcNow - File.GetLastWriteTimeUtc(path) > Renewal) File.SetLastWriteTimeUtc(path, DateTime.UtcNow);
            return code;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Another process may have evicted it between two calls: then there is no entry.
            if (e is not (FileNotFoundException or DirectoryNotFoundException)) Problem = $"{path} cannot be read: {e.Message}";
            return null;
        }
    }

    /// <summary>Keeps an entry, when the disk allows it.</summary>
    internal void Write(CodeObjectKey key, ReadOnlySpan<byte> code)
    {
        string temporary = Path.Combine(_folder, string.Create(CultureInfo.InvariantCulture, $"{key.Text}.{Environment.ProcessId}.{Guid.NewGuid():N}{TemporaryExtension}"));
        try
        {
            CreateFolder();
            if (!IsTrusted()) return;
            try
            {
                using (FileStream stream = File.Open(temporary, NewPrivateFile()))
                {
                    stream.Write(CodeObjectFile.Compose(key, code));
                    // Without it a crash of the machine may leave the new name on empty blocks; the checksum would find that, at the price of a compilation.
                    stream.Flush(flushToDisk: true);
                }

                File.Move(temporary, PathOf(key), overwrite: true);
            }
            catch
            {
                File.Delete(temporary);
                throw;
            }

            Evict();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Problem = $"{_folder} cannot be written: {e.Message}";
        }
    }

    private string PathOf(CodeObjectKey key) => Path.Combine(_folder, key.Text + _extension);

    private static FileStreamOptions NewPrivateFile()
    {
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, Share = FileShare.None };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        return options;
    }

    private void CreateFolder()
    {
        if (OperatingSystem.IsWindows()) Directory.CreateDirectory(_folder);
        else Directory.CreateDirectory(_folder, Private);
    }

    /// <summary>What others may write into would run on the GPU with this user's data.</summary>
    private bool IsTrusted()
    {
        if (OperatingSystem.IsWindows() || !Directory.Exists(_folder) || (File.GetUnixFileMode(_folder) & WritableByOthers) == 0) return true;
        Problem = $"{_folder} is not used because others may write into it: allow only its owner to (chmod go-w).";
        return false;
    }

    private void Evict()
    {
        FileInfo[] files = new DirectoryInfo(_folder).GetFiles();
        foreach (FileInfo file in files.Where(file => file.Extension == TemporaryExtension && DateTime.UtcNow - file.LastWriteTimeUtc > Abandoned)) file.Delete();
        FileInfo[] entries = [.. files.Where(file => file.Extension == _extension).OrderBy(file => file.LastWriteTimeUtc)];
        long total = entries.Sum(file => file.Length);
        foreach (FileInfo entry in entries)
        {
            if (total <= _maxBytes) return;
            total -= entry.Length;
            entry.Delete();
        }
    }
}
