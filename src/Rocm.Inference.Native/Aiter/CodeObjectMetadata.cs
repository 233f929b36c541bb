using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using Rocm.Inference.Native.Hip;

namespace Rocm.Inference.Native.Aiter;

/// <summary>
/// What a code object says of its kernels: the metadata note of the AMDGPU ABI (LLVM's AMDGPUUsage, "Code Object Metadata"), MessagePack in an ELF note.
/// </summary>
internal sealed class CodeObjectMetadata
{
    internal const int MaxKernels = 64;
    internal const int MaxArguments = 256;

    private const int HeaderBytes = 64;
    private const int ProgramHeaderBytes = 56;
    private const int MaxProgramHeaders = 64;
    private const uint NoteSegment = 4;
    private const uint MetadataNote = 32;

    private CodeObjectMetadata(HipCodeObject identity, ImmutableArray<CodeObjectKernel> kernels) => (Identity, Kernels) = (identity, kernels);

    /// <summary>Architecture and version of the format.</summary>
    internal HipCodeObject Identity { get; }

    internal ImmutableArray<CodeObjectKernel> Kernels { get; }

    /// <summary>Reads the metadata of an image.</summary>
    /// <param name="image">The whole file.</param>
    /// <param name="defect">What is wrong, as the end of a sentence whose subject is the file.</param>
    /// <returns>Null with a defect.</returns>
    internal static CodeObjectMetadata? Read(ReadOnlySpan<byte> image, out string defect)
    {
        HipCodeObject identity = HipCodeObject.Read(image);
        if (identity.Version == 0)
        {
            defect = "is no ELF code object for AMD GPUs";
            return null;
        }

        ReadOnlySpan<byte> note = FindNote(image, out defect);
        if (defect.Length > 0) return null;
        ImmutableArray<CodeObjectKernel> kernels = ReadKernels(note);
        if (!kernels.IsDefault) return new CodeObjectMetadata(identity, kernels);
        defect = "has damaged metadata";
        return null;
    }

    private static ReadOnlySpan<byte> FindNote(ReadOnlySpan<byte> image, out string defect)
    {
        ulong table = BinaryPrimitives.ReadUInt64LittleEndian(image[32..]);
        int entryBytes = BinaryPrimitives.ReadUInt16LittleEndian(image[54..]), count = BinaryPrimitives.ReadUInt16LittleEndian(image[56..]);
        if (entryBytes != ProgramHeaderBytes || count is 0 or > MaxProgramHeaders || !Fits(image, table, (ulong)(count * ProgramHeaderBytes)))
        {
            defect = $"is damaged or cut short: {count} program headers of {entryBytes} bytes";
            return [];
        }

        defect = "";
        for (int i = 0; i < count; i++)
        {
            ReadOnlySpan<byte> entry = image.Slice((int)table + (i * ProgramHeaderBytes), ProgramHeaderBytes);
            ulong start = BinaryPrimitives.ReadUInt64LittleEndian(entry[8..]), bytes = BinaryPrimitives.ReadUInt64LittleEndian(entry[32..]);
            if (!Fits(image, start, bytes))
            {
                defect = "is cut short: a segment lies beyond its end";
                return [];
            }

            if (BinaryPrimitives.ReadUInt32LittleEndian(entry) != NoteSegment) continue;
            ReadOnlySpan<byte> found = FindInSegment(image.Slice((int)start, (int)bytes));
            if (!found.IsEmpty) return found;
        }

        defect = "has no metadata note";
        return [];
    }

    // A note: three sizes and kinds, the name and the content, each padded to 4 bytes.
    private static ReadOnlySpan<byte> FindInSegment(ReadOnlySpan<byte> segment)
    {
        while (segment.Length >= 12)
        {
            uint nameBytes = BinaryPrimitives.ReadUInt32LittleEndian(segment), contentBytes = BinaryPrimitives.ReadUInt32LittleEndian(segment[4..]);
            uint kind = BinaryPrimitives.ReadUInt32LittleEndian(segment[8..]);
            ulong content = 12 + Padded(nameBytes), next = content + Padded(contentBytes);
            if (content + contentBytes > (ulong)segment.Length) return [];
            if (kind == MetadataNote && segment.Slice(12, (int)nameBytes).SequenceEqual("AMDGPU\0"u8)) return segment.Slice((int)content, (int)contentBytes);
            segment = next >= (ulong)segment.Length ? [] : segment[(int)next..];
        }

        return [];
    }

    private static ImmutableArray<CodeObjectKernel> ReadKernels(ReadOnlySpan<byte> note)
    {
        var reader = new MessagePackReader(note);
        var kernels = ImmutableArray.CreateBuilder<CodeObjectKernel>();
        for (int left = reader.ReadMap(); left > 0 && !reader.HasFailed; left--)
        {
            if (reader.ReadText() != "amdhsa.kernels")
            {
                reader.Skip();
                continue;
            }

            int count = reader.ReadArray();
            if (count > MaxKernels) return default;
            for (int i = 0; i < count && !reader.HasFailed; i++) kernels.Add(ReadKernel(ref reader));
        }

        return reader.HasFailed ? default : kernels.ToImmutable();
    }

    private static CodeObjectKernel ReadKernel(ref MessagePackReader reader)
    {
        string name = "", list = "";
        long segment = 0, lds = 0, scratch = 0, wave = 0, registers = 0, threads = 0, end = 0;
        for (int left = reader.ReadMap(); left > 0 && !reader.HasFailed; left--)
        {
            switch (reader.ReadText())
            {
                case ".name": name = reader.ReadText(); break;
                case ".kernarg_segment_size": segment = reader.ReadNumber(); break;
                case ".group_segment_fixed_size": lds = reader.ReadNumber(); break;
                case ".private_segment_fixed_size": scratch = reader.ReadNumber(); break;
                case ".wavefront_size": wave = reader.ReadNumber(); break;
                case ".vgpr_count": registers = reader.ReadNumber(); break;
                case ".max_flat_workgroup_size": threads = reader.ReadNumber(); break;
                case ".args": list = ReadArguments(ref reader, ref end); break;
                default: reader.Skip(); break;
            }
        }

        return new CodeObjectKernel(name, segment, end, list, lds, scratch, wave, registers, threads);
    }

    private static string ReadArguments(ref MessagePackReader reader, ref long end)
    {
        int count = reader.ReadArray();
        if (count > MaxArguments)
        {
            // Never in a kernel: the list cannot be one that is known.
            for (int i = 0; i < count && !reader.HasFailed; i++) reader.Skip();
            return "too many";
        }

        var list = new StringBuilder();
        for (int i = 0; i < count && !reader.HasFailed; i++)
        {
            string name = "";
            long offset = 0, size = 0;
            for (int left = reader.ReadMap(); left > 0 && !reader.HasFailed; left--)
            {
                switch (reader.ReadText())
                {
                    case ".name": name = reader.ReadText(); break;
                    case ".offset": offset = reader.ReadNumber(); break;
                    case ".size": size = reader.ReadNumber(); break;
                    default: reader.Skip(); break;
                }
            }

            end = Math.Max(end, offset > long.MaxValue - size ? long.MaxValue : offset + size);
            if (name is "" or "pad" or "p2" or "p3") continue;
            if (list.Length > 0) list.Append(' ');
            list.Append(CultureInfo.InvariantCulture, $"{offset:x}:{name}/{size}");
        }

        return list.ToString();
    }

    private static ulong Padded(uint bytes) => ((ulong)bytes + 3) & ~3ul;

    private static bool Fits(ReadOnlySpan<byte> image, ulong start, ulong bytes) => start <= (ulong)image.Length && bytes <= (ulong)image.Length - start;
}
