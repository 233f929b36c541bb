using System.Buffers.Binary;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Rocm.Inference.TestKit;

/// <summary>One tensor of a file: type as the format spells it, dimensions, little-endian bytes.</summary>
internal sealed record RawTensor(string Name, string DType, long[] Shape, byte[] Data)
{
    public static RawTensor F32(string name, long[] shape, float[] values) => new(name, "F32", shape, GoldenSafetensors.ToBytes(values, GoldenWeights.Float32));

    public static RawTensor BF16(string name, long[] shape, float[] values) => new(name, "BF16", shape, GoldenSafetensors.ToBytes(values, GoldenWeights.BFloat16));
}

/// <summary>Writes safetensors files of any types by hand, so that tests of the reader share no code with it.</summary>
internal static class RawSafetensors
{
    public static void Write(string path, IReadOnlyList<RawTensor> tensors)
    {
        var header = new JsonObject();
        long end = 0;
        foreach (RawTensor tensor in tensors)
        {
            long start = end;
            end += tensor.Data.Length;
            header[tensor.Name] = new JsonObject
            {
                ["dtype"] = tensor.DType,
                ["shape"] = new JsonArray([.. tensor.Shape.Select(size => (JsonNode)size)]),
                ["data_offsets"] = new JsonArray(start, end),
            };
        }

        byte[] json = JsonSerializer.SerializeToUtf8Bytes(header);
        using FileStream file = File.Create(path);
        Span<byte> length = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(length, (ulong)json.Length);
        file.Write(length);
        file.Write(json);
        foreach (RawTensor tensor in tensors) file.Write(tensor.Data);
    }

    public static RawTensor[] Read(string path)
    {
        byte[] file = File.ReadAllBytes(path);
        int start = 8 + (int)BinaryPrimitives.ReadUInt64LittleEndian(file);
        using JsonDocument header = JsonDocument.Parse(file.AsMemory(8, start - 8));
        return [.. header.RootElement.EnumerateObject().Where(entry => entry.Name != "__metadata__").Select(entry =>
        {
            JsonElement offsets = entry.Value.GetProperty("data_offsets");
            return new RawTensor(
                entry.Name, entry.Value.GetProperty("dtype").GetString()!, [.. entry.Value.GetProperty("shape").EnumerateArray().Select(size => size.GetInt64())],
                file[(start + offsets[0].GetInt32())..(start + offsets[1].GetInt32())]);
        })];
    }
}
