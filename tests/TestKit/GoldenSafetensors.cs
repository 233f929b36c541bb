using System.Buffers.Binary;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Rocm.Inference.TestKit;

/// <summary>Writes safetensors files by hand, so that tests of the reader share no code with it.</summary>
internal static class GoldenSafetensors
{
    /// <summary>Writes the file and returns the bytes of tensor data in it.</summary>
    public static long Write(string path, GoldenWeights weights, IReadOnlyList<GoldenTensor> tensors, Func<GoldenTensor, float[]> values)
    {
        var width = weights == GoldenWeights.Float32 ? sizeof(float) : sizeof(ushort);
        var header = new JsonObject { ["__metadata__"] = new JsonObject { ["format"] = "pt" } };
        long end = 0;
        foreach (var tensor in tensors)
        {
            var start = end;
            end += tensor.ElementCount * width;
            header[tensor.Name] = new JsonObject
            {
                ["dtype"] = weights == GoldenWeights.Float32 ? "F32" : "BF16",
                ["shape"] = new JsonArray([.. tensor.Shape.Select(size => (JsonNode)size)]),
                ["data_offsets"] = new JsonArray(start, end),
            };
        }

        // Writers pad the header with spaces so that the data starts at a multiple of 8.
        var json = JsonSerializer.SerializeToUtf8Bytes(header);
        var padded = new byte[(json.Length + 7) / 8 * 8];
        padded.AsSpan().Fill((byte)' ');
        json.CopyTo(padded, 0);

        using var file = File.Create(path);
        Span<byte> length = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(length, (ulong)padded.Length);
        file.Write(length);
        file.Write(padded);
        foreach (var tensor in tensors)
            file.Write(ToBytes(values(tensor), weights));
        return end;
    }

    /// <summary>The little-endian bytes of the values as the file holds them.</summary>
    public static byte[] ToBytes(float[] values, GoldenWeights weights)
    {
        if (weights == GoldenWeights.Float32)
        {
            var bytes = new byte[values.Length * sizeof(float)];
            for (var i = 0; i < values.Length; i++)
                BinaryPrimitives.WriteSingleLittleEndian(bytes.AsSpan(i * sizeof(float)), values[i]);
            return bytes;
        }

        var halves = new byte[values.Length * sizeof(ushort)];
        for (var i = 0; i < values.Length; i++)
            BinaryPrimitives.WriteUInt16LittleEndian(halves.AsSpan(i * sizeof(ushort)), GoldenWeightGenerator.ToBFloat16(values[i]));
        return halves;
    }
}
