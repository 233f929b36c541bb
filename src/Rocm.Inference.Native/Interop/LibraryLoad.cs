using System.Collections.Immutable;
using System.Runtime.InteropServices;

namespace Rocm.Inference.Native.Interop;

/// <summary>The outcome of looking for a library; the handle, when there is one, stays loaded until the process ends.</summary>
/// <param name="Handle">The loader's handle, 0 when nothing was loaded.</param>
/// <param name="Path">File or bare name that was loaded.</param>
/// <param name="Attempts">Every place tried, in order; the last one is the loaded one.</param>
internal sealed record LibraryLoad(nint Handle, string? Path, ImmutableArray<LibraryAttempt> Attempts)
{
    internal bool IsLoaded => Handle != 0;

    internal bool HasExport(string name) => IsLoaded && NativeLibrary.TryGetExport(Handle, name, out _);
}
