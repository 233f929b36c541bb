using System.Buffers.Binary;
using System.Text.Json;
using System.Text.Json.Nodes;
using Rocm.Inference;

namespace Benchmark;

/// <summary>
/// A model of the shape that a config.json describes, with weights from a seed instead of training. Speed does not depend on the values as long as
/// they stay ordinary numbers; only which experts are chosen does, and random routers choose evenly.
/// </summary>
internal sealed class RandomModel
{
    private readonly JsonObject _config;
    private readonly DType _type;
    private readonly ulong _seed;

    /// <param name="configFile">A config.json.</param>
    /// <param name="type">Element type of all weights: BF16, F16 or F32.</param>
    /// <param name="seed">Seed of the weights.</param>
    public RandomModel(string configFile, DType type, ulong seed)
    {
        _config = JsonNode.Parse(File.ReadAllText(configFile)) as JsonObject ?? throw new JsonException($"{configFile} is not a JSON object.");
        _type = type;
        _seed = seed;

        // Weights are written as they are, whatever the real checkpoint has.
        _config.Remove("quantization_config");
        _config["torch_dtype"] = type switch { DType.BF16 => "bfloat16", DType.F16 => "float16", _ => "float32" };
    }

    /// <summary>Writes config.json, tokenizer.json and model.safetensors.</summary>
    /// <param name="folder">Made if need be.</param>
    /// <param name="progress">Told the written share of the weights.</param>
    /// <param name="cancellationToken">Checked now and then.</param>
    /// <returns>Bytes of the weights.</returns>
    public long WriteTo(string folder, Action<double> progress, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "config.json"), _config.ToJsonString(new JsonSerializerOptions { WriteIndented = true }));
        IReadOnlyList<CheckpointTensor> tensors = ModelCheckpoint.RequiredTensors(folder);
        ByteLevelTokenizer.WriteTo(folder, _config["vocab_size"]?.GetValue<int>() ?? 256);
        using var file = new FileStream(Path.Combine(folder, "model.safetensors"), FileMode.Create, FileAccess.Write, FileShare.None, 1 << 20);
        long total = WriteHeader(file, tensors);
        var random = new RandomWeights(_type, _seed);
        var chunk = new byte[1 << 20];
        long written = 0;
        foreach (CheckpointTensor tensor in tensors)
        {
            // Rows of unit length on average keep activations in their range; norms are near 1, biases near 0.
            bool isVector = tensor.Shape.Count == 1;
            float mean = isVector && !tensor.Name.EndsWith("bias", StringComparison.Ordinal) ? 1 : 0;
            float deviation = isVector ? 0.05f : 1 / MathF.Sqrt(tensor.Shape[^1]);
            for (long left = BytesOf(tensor); left > 0;)
            {
                cancellationToken.ThrowIfCancellationRequested();
                Span<byte> part = chunk.AsSpan(0, (int)Math.Min(left, chunk.Length));
                random.Fill(part, mean, deviation);
                file.Write(part);
                left -= part.Length;
                written += part.Length;
                progress((double)written / total);
            }
        }

        return total;
    }

    private long WriteHeader(Stream file, IReadOnlyList<CheckpointTensor> tensors)
    {
        var header = new JsonObject { ["__metadata__"] = new JsonObject { ["format"] = "pt" } };
        long end = 0;
        foreach (CheckpointTensor tensor in tensors)
        {
            long start = end;
            end += BytesOf(tensor);
            header[tensor.Name] = new JsonObject
            {
                ["dtype"] = _type.ToString(),
                ["shape"] = new JsonArray([.. tensor.Shape.Select(size => (JsonNode)size)]),
                ["data_offsets"] = new JsonArray(start, end),
            };
        }

        byte[] json = JsonSerializer.SerializeToUtf8Bytes(header);
        int padding = -json.Length & 7;
        Span<byte> length = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(length, json.Length + padding);
        file.Write(length);
        file.Write(json);
        file.Write("       "u8[..padding]);
        return end;
    }

    private long BytesOf(CheckpointTensor tensor) => tensor.Shape.Aggregate((long)_type.ByteSize(), (bytes, size) => bytes * size);
}
