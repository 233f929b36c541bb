using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Rocm.Inference.Native.Interop;

/// <summary>
/// Reads as much of an ELF file as decides whether the loader may be given it. glibc maps segments without looking at the file's
/// length, so a library cut short by a failed copy kills the process with SIGBUS instead of failing to load.
/// </summary>
internal static class ElfImage
{
    private const int HeaderBytes = 64;
    private const int ProgramHeaderBytes = 56;
    private const int SectionHeaderBytes = 64;
    private const int MaxProgramHeaders = 512;
    private const int SharedObject = 3;
    private const int LoadSegment = 1;
    private const int DynamicSegment = 2;
    private const int MachineX64 = 62;
    private const int MachineArm64 = 183;

    /// <summary>Says why the file is no shared library for this process.</summary>
    /// <param name="path">An existing file.</param>
    /// <param name="defect">What is wrong, as the end of a sentence whose subject is the file.</param>
    /// <returns><see cref="ElfVerdict.Damaged"/> where the loader itself would be at risk.</returns>
    internal static ElfVerdict Check(string path, out string defect)
    {
        try
        {
            // The length comes from the file's metadata: opening a pipe would wait for a writer.
            long length = Length(path);
            if (length < HeaderBytes)
            {
                defect = $"is {length} bytes long and cannot be a shared library";
                return ElfVerdict.NotElf;
            }

            // Sharing everything: .NET would otherwise take a lock, and a locked library can still be loaded.
            using var handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            return Check(handle, length, out defect);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            defect = $"cannot be read: {e.Message}";
            return ElfVerdict.NotElf;
        }
    }

    private static ElfVerdict Check(Microsoft.Win32.SafeHandles.SafeFileHandle handle, long length, out string defect)
    {
        Span<byte> header = stackalloc byte[HeaderBytes];
        if (RandomAccess.Read(handle, header, 0) < HeaderBytes || !header.StartsWith("\u007fELF"u8))
        {
            defect = "is not an ELF file";
            return ElfVerdict.NotElf;
        }

        int machine = BinaryPrimitives.ReadUInt16LittleEndian(header[18..]);
        int expected = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? MachineArm64 : MachineX64;
        if (header[4] != 2 || header[5] != 1 || machine != expected)
        {
            defect = $"is built for another machine ({Describe(header[4], machine)}); this process needs {Describe(2, expected)}";
            return ElfVerdict.Foreign;
        }

        if (BinaryPrimitives.ReadUInt16LittleEndian(header[16..]) != SharedObject)
        {
            defect = "is an ELF file but not a shared library";
            return ElfVerdict.Damaged;
        }

        ulong sectionOffset = BinaryPrimitives.ReadUInt64LittleEndian(header[40..]);
        ulong sectionBytes = (ulong)BinaryPrimitives.ReadUInt16LittleEndian(header[60..]) * SectionHeaderBytes;
        if (!Fits(sectionOffset, sectionBytes, length))
        {
            defect = CutShort("section headers", sectionOffset, sectionBytes, length);
            return ElfVerdict.Damaged;
        }

        return CheckSegments(handle, header, length, out defect);
    }

    private static ElfVerdict CheckSegments(
        Microsoft.Win32.SafeHandles.SafeFileHandle handle, ReadOnlySpan<byte> header, long length, out string defect)
    {
        ulong offset = BinaryPrimitives.ReadUInt64LittleEndian(header[32..]);
        int entryBytes = BinaryPrimitives.ReadUInt16LittleEndian(header[54..]);
        int count = BinaryPrimitives.ReadUInt16LittleEndian(header[56..]);
        if (entryBytes != ProgramHeaderBytes || count is 0 or > MaxProgramHeaders)
        {
            defect = $"has a damaged ELF header ({count} program headers of {entryBytes} bytes)";
            return ElfVerdict.Damaged;
        }

        if (!Fits(offset, (ulong)(count * ProgramHeaderBytes), length))
        {
            defect = CutShort("program headers", offset, (ulong)(count * ProgramHeaderBytes), length);
            return ElfVerdict.Damaged;
        }

        bool dynamic = false;
        Span<byte> entry = stackalloc byte[ProgramHeaderBytes];
        for (int i = 0; i < count; i++)
        {
            if (RandomAccess.Read(handle, entry, (long)offset + i * ProgramHeaderBytes) < ProgramHeaderBytes) break;
            uint kind = BinaryPrimitives.ReadUInt32LittleEndian(entry);
            if (kind is not (LoadSegment or DynamicSegment)) continue;

            ulong start = BinaryPrimitives.ReadUInt64LittleEndian(entry[8..]);
            ulong bytes = BinaryPrimitives.ReadUInt64LittleEndian(entry[32..]);
            if (!Fits(start, bytes, length))
            {
                defect = CutShort(kind == LoadSegment ? "a segment" : "the dynamic section", start, bytes, length);
                return ElfVerdict.Damaged;
            }

            dynamic |= kind == DynamicSegment;
        }

        defect = dynamic ? "" : "has no dynamic section";
        return dynamic ? ElfVerdict.Sound : ElfVerdict.Damaged;
    }

    private static long Length(string path)
    {
        var file = new FileInfo(path);
        return file.LinkTarget is null ? file.Length : new FileInfo(file.ResolveLinkTarget(returnFinalTarget: true)!.FullName).Length;
    }

    private static bool Fits(ulong start, ulong bytes, long length) => start <= (ulong)length && bytes <= (ulong)length - start;

    private static string CutShort(string part, ulong start, ulong bytes, long length) => string.Create(
        CultureInfo.InvariantCulture, $"is cut short or damaged: {part} at {start} with {bytes} bytes, but the file has {length} bytes");

    private static string Describe(int elfClass, int machine)
    {
        string name = machine switch { MachineX64 => "x86-64", MachineArm64 => "AArch64", 3 => "x86", 40 => "ARM", _ => $"machine {machine}" };
        return elfClass == 2 ? $"64-bit {name}" : $"32-bit {name}";
    }
}
