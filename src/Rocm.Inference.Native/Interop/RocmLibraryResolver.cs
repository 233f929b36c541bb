using System.Reflection;
using System.Runtime.InteropServices;

namespace Rocm.Inference.Native.Interop;

/// <summary>
/// Loads ROCm libraries and binds this assembly's imports to them. Its state is process-wide, because an import resolver is per assembly
/// and a HIP runtime cannot be loaded twice: the first library that loads serves until the process ends. Failures are not kept: a later call looks again.
/// </summary>
internal static class RocmLibraryResolver
{
    private static readonly Lock Gate = new();
    private static readonly Dictionary<string, LibraryLoad> Known = [];
    private static bool _registered;

    /// <summary>Loads the library from the first place that has a sound one, or reports every place tried; throws for nothing that it finds.</summary>
    internal static LibraryLoad Load(RocmLibrary library, RocmSearch search)
    {
        lock (Gate)
        {
            Register();
            if (Known.TryGetValue(library.ImportName, out LibraryLoad? known)) return Reuse(known, search);

            var attempt = new LibraryLoader(library, search);
            LibraryLoad load = attempt.Run();
            if (load.IsLoaded) Known.Add(library.ImportName, load);
            return load;
        }
    }

    /// <summary>The library that serves this process, or null when none was loaded yet.</summary>
    internal static LibraryLoad? Loaded(RocmLibrary library)
    {
        lock (Gate) return Known.GetValueOrDefault(library.ImportName);
    }

    private static LibraryLoad Reuse(LibraryLoad known, RocmSearch search)
    {
        string? wanted = search.ExplicitPath;
        if (wanted is null || known.Path == wanted || search.Folders().Any(f => Path.GetDirectoryName(known.Path) == f.Folder)) return known;

        string message = $"cannot be used: {known.Path} is already loaded, and a process can have one HIP runtime only";
        return new LibraryLoad(0, null, [new LibraryAttempt(wanted, "explicit path", message)]);
    }

    private static void Register()
    {
        if (_registered) return;
        _registered = true;
        try
        {
            NativeLibrary.SetDllImportResolver(typeof(RocmLibraryResolver).Assembly, Resolve);
        }
        catch (InvalidOperationException)
        {
            // The host has set a resolver for this assembly: its choice binds the imports, and a failure of it is reported by the first call.
        }
    }

    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? searchPath)
    {
        RocmLibrary? library = RocmLibrary.Named(name);
        if (library is null) return 0;

        LibraryLoad load = Load(library, RocmSearch.FromEnvironment(null));
        if (load.IsLoaded) return load.Handle;

        // Returning 0 would let the runtime probe names of its own, past the checks above.
        throw new DllNotFoundException($"{name} was not found. Tried: {string.Join("; ", load.Attempts)}");
    }
}
