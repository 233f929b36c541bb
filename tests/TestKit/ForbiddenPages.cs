using System.Runtime.InteropServices;

namespace Rocm.Inference.TestKit;

/// <summary>Forbids access to the whole pages of a range until it is disposed of (on Linux; elsewhere to none): touching them ends the process.</summary>
internal sealed partial class ForbiddenPages : IDisposable
{
    private const nint PageBytes = 4096;
    private readonly nint _start;

    public ForbiddenPages(nint address, long sizeBytes)
    {
        if (!OperatingSystem.IsLinux()) return;
        _start = (address + PageBytes - 1) / PageBytes * PageBytes;
        Bytes = Math.Max(0, ((address + (nint)sizeBytes) / PageBytes * PageBytes) - _start);
        if (Bytes > 0 && Protect(_start, (nuint)Bytes, 0) != 0) throw new InvalidOperationException("Cannot protect memory.");
    }

    /// <summary>Bytes that are forbidden.</summary>
    public long Bytes { get; }

    public void Dispose()
    {
        const int ReadWrite = 3;
        if (Bytes > 0) _ = Protect(_start, (nuint)Bytes, ReadWrite);
    }

    [LibraryImport("libc", EntryPoint = "mprotect")]
    private static partial int Protect(nint address, nuint length, int protection);
}
