using System.Buffers.Binary;
using System.Text;

namespace Rocm.Inference.Tests.Models;

/// <summary>A temporary model folder, written byte by byte so that it can be damaged at will.</summary>
internal sealed class CheckpointFolder : IDisposable
{
    public CheckpointFolder() => Path = Directory.CreateTempSubdirectory("checkpoint-").FullName;

    public string Path { get; }

    public string File(string name) => System.IO.Path.Combine(Path, name);

    public CheckpointFolder Text(string name, string content)
    {
        System.IO.File.WriteAllText(File(name), content);
        return this;
    }

    /// <summary>Writes a file of F32 tensors [shape] with running values.</summary>
    public CheckpointFolder Tensors(string name, params (string Name, int[] Shape)[] tensors)
    {
        var header = new StringBuilder("{");
        int end = 0;
        foreach ((string tensor, int[] shape) in tensors)
        {
            int start = end;
            end += 4 * shape.Aggregate(1, (product, dim) => product * dim);
            header.Append(header.Length > 1 ? "," : string.Empty).Append('"').Append(tensor).Append("\":").Append(Entry("F32", string.Join(',', shape), start, end));
        }

        var data = new byte[end];
        for (int i = 0; i < end / 4; i++) BinaryPrimitives.WriteSingleLittleEndian(data.AsSpan(4 * i), i);
        return Raw(name, header.Append('}').ToString(), data);
    }

    /// <summary>Writes a file of a header and data.</summary>
    public CheckpointFolder Raw(string name, string header, byte[] data)
    {
        System.IO.File.WriteAllBytes(File(name), Bytes(Encoding.UTF8.GetBytes(header), data));
        return this;
    }

    public static string Entry(string dtype, string shape, long start, long end) =>
        $"{{\"dtype\":\"{dtype}\",\"shape\":[{shape}],\"data_offsets\":[{start},{end}]}}";

    public static byte[] Bytes(byte[] header, byte[] data)
    {
        var prefix = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(prefix, (ulong)header.Length);
        return [.. prefix, .. header, .. data];
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
