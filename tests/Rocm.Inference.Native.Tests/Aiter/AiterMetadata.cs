using System.Buffers.Binary;
using System.Text;

namespace Rocm.Inference.Native.Tests.Aiter;

/// <summary>Code objects without code: an ELF header, one note and the metadata that a test asks for.</summary>
internal static class AiterMetadata
{
    internal const string PagedArguments =
        "0:O/8 10:Q/8 20:K/8 30:V/8 40:BT/8 50:CL/8 60:KQ/8 70:VQ/8 80:sclg/4 90:mblk/4 a0:batch/4 b0:Qs/4 c0:Bs/4 d0:KVs/4 e0:mtp/4 f0:GQA/4 100:QTP/8";

    internal const string LegacyPagedArguments =
        "0:O/8 10:Q/8 20:K/8 30:V/8 40:BT/8 50:CL/8 60:KQ/8 70:VQ/8 80:sclg/4 90:mblk/4 a0:batch/4 b0:Qs/4 c0:Bs/4 d0:KVs/4 e0:GQA/4 f0:QTP/8";

    internal const string MlaArguments =
        "0:O/8 10:Q/8 20:K/8 30:V/8 40:BT/8 50:CL/8 60:KQ/8 70:sclg/4 80:mblk/4 90:batch/4 a0:Qs/4 b0:Bs/4 c0:Cs/4";

    private const int NoteOffset = 128;

    internal static byte[] CodeObject(
        string symbol, string arguments, int segment, int lds = 65536, int threads = 256, int wave = 64, int scratch = 0, byte machine = 0x4c, int kernels = 1)
    {
        var note = new MessagePackWriter();
        note.Map(2);
        note.Text("amdhsa.version");
        note.Array(2);
        note.Number(1);
        note.Number(2);
        note.Text("amdhsa.kernels");
        note.Array(kernels);
        for (int i = 0; i < kernels; i++) Kernel(note);
        return Elf([.. "\u0007\0\0\0"u8, .. Little(note.Bytes.Length), .. Little(32), .. "AMDGPU\0\0"u8, .. note.Bytes, .. new byte[-note.Bytes.Length & 3]], machine);

        void Kernel(MessagePackWriter to)
        {
            to.Map(9);
            to.Text(".name");
            to.Text(symbol);
            to.Text(".symbol");
            to.Text(symbol + ".kd");
            foreach ((string key, int value) in ((string, int)[])[(".kernarg_segment_size", segment), (".group_segment_fixed_size", lds),
                (".private_segment_fixed_size", scratch), (".wavefront_size", wave), (".vgpr_count", 512), (".max_flat_workgroup_size", threads)])
            {
                to.Text(key);
                to.Number(value);
            }

            string[] list = arguments.Split(' ');
            to.Text(".args");
            to.Array(2 * list.Length);
            foreach (string argument in list)
            {
                string[] parts = argument.Split(':', '/');
                int offset = Convert.ToInt32(parts[0], 16), size = int.Parse(parts[2], System.Globalization.CultureInfo.InvariantCulture);
                Argument(to, parts[1], offset, size);
                Argument(to, "pad", offset + size, Math.Min(16 - size, segment - offset - size));
            }
        }

        static void Argument(MessagePackWriter to, string name, int offset, int size)
        {
            to.Map(3);
            to.Text(".name");
            to.Text(name);
            to.Text(".offset");
            to.Number(offset);
            to.Text(".size");
            to.Number(size);
        }
    }

    private static byte[] Elf(byte[] note, byte machine)
    {
        byte[] image = new byte[NoteOffset + note.Length];
        "\u007fELF\u0002\u0001\u0001\u0040"u8.CopyTo(image);
        (image[8], image[16], image[18], image[48]) = (4, 3, 224, machine);
        BinaryPrimitives.WriteInt64LittleEndian(image.AsSpan(32), 64);
        (image[54], image[56]) = (56, 1);
        BinaryPrimitives.WriteInt32LittleEndian(image.AsSpan(64), 4);
        BinaryPrimitives.WriteInt64LittleEndian(image.AsSpan(72), NoteOffset);
        BinaryPrimitives.WriteInt64LittleEndian(image.AsSpan(96), note.Length);
        note.CopyTo(image, NoteOffset);
        return image;
    }

    private static byte[] Little(int value)
    {
        byte[] bytes = new byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, value);
        return bytes;
    }

    private sealed class MessagePackWriter
    {
        private readonly List<byte> _bytes = [];

        internal byte[] Bytes => [.. _bytes];

        internal void Map(int count) => _bytes.AddRange([0xde, (byte)(count >> 8), (byte)count]);

        internal void Array(int count) => _bytes.AddRange([0xdc, (byte)(count >> 8), (byte)count]);

        internal void Text(string text)
        {
            byte[] utf8 = Encoding.UTF8.GetBytes(text);
            _bytes.AddRange(utf8.Length < 32 ? [(byte)(0xa0 | utf8.Length)] : [0xd9, (byte)utf8.Length]);
            _bytes.AddRange(utf8);
        }

        internal void Number(int value) => _bytes.AddRange(
            value is >= 0 and < 128 ? [(byte)value] : [0xce, (byte)(value >> 24), (byte)(value >> 16), (byte)(value >> 8), (byte)value]);
    }
}
