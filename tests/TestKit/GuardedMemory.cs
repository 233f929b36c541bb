using System.Runtime.InteropServices;

namespace Rocm.Inference.TestKit;

/// <summary>Memory whose last byte lies right before a page that nobody may touch (on Linux), so that reading past the end ends the process.</summary>
internal sealed unsafe partial class GuardedMemory : IDisposable
{
    private const int PageBytes = 4096;
    private readonly nint _mapping;
    private readonly nuint _mappedBytes;

    public GuardedMemory(long sizeBytes)
    {
        if (!OperatingSystem.IsLinux())
        {
            Address = (nint)NativeMemory.AlignedAlloc((nuint)Math.Max(1, sizeBytes), 64);
            return;
        }

        long pages = (sizeBytes + PageBytes - 1) / PageBytes * PageBytes;
        _mappedBytes = (nuint)(pages + PageBytes);
        _mapping = Map(0, _mappedBytes, protection: 3, flags: 0x22, -1, 0);
        if (_mapping == -1 || Protect(_mapping + (nint)pages, PageBytes, 0) != 0) throw new InvalidOperationException("Cannot map guarded memory.");
        Address = _mapping + (nint)(pages - sizeBytes);
    }

    public nint Address { get; }

    public void Dispose()
    {
        if (_mapping == 0) NativeMemory.AlignedFree((void*)Address);
        else _ = Unmap(_mapping, _mappedBytes);
    }

    [LibraryImport("libc", EntryPoint = "mmap")]
    private static partial nint Map(nint address, nuint length, int protection, int flags, int file, long offset);

    [LibraryImport("libc", EntryPoint = "mprotect")]
    private static partial int Protect(nint address, nuint length, int protection);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int Unmap(nint address, nuint length);
}
