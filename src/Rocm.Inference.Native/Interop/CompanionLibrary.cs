namespace Rocm.Inference.Native.Interop;

/// <summary>Finds the ROCm libraries beside the HIP runtime.</summary>
internal static class CompanionLibrary
{
    /// <summary>Loads a library from the folder of the HIP runtime, and only where it is not there from the usual places.</summary>
    /// <param name="library">What to load.</param>
    /// <param name="runtimePath">The libamdhip64 in use, or the bare name under which the system's loader found it.</param>
    internal static LibraryLoad Load(RocmLibrary library, string runtimePath)
    {
        string? folder = Path.GetDirectoryName(runtimePath);
        RocmSearch usual = RocmSearch.FromEnvironment(null);
        if (string.IsNullOrEmpty(folder)) return RocmLibraryResolver.Load(library, usual);

        LibraryLoad beside = RocmLibraryResolver.Load(library, usual with { ExplicitPath = folder });
        if (beside.IsLoaded) return beside;
        LibraryLoad elsewhere = RocmLibraryResolver.Load(library, usual);
        return elsewhere with { Attempts = [.. beside.Attempts, .. elsewhere.Attempts] };
    }

    /// <exception cref="HipException">It is nowhere; the message names every place.</exception>
    internal static LibraryLoad Require(RocmLibrary library, string runtimePath)
    {
        LibraryLoad load = Load(library, runtimePath);
        if (load.IsLoaded) return load;
        throw new HipException($"The library {library.ImportName} was not found. Tried: {string.Join("; ", load.Attempts)}");
    }
}
