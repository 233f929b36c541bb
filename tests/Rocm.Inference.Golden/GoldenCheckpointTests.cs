using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Golden;

public sealed class GoldenCheckpointTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("golden-").FullName;

    public static TheoryData<string> Names => [.. GoldenCheckpoint.Names];

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [MemberData(nameof(Names))]
    public void Generated_weights_are_those_that_the_independent_program_ran_with(string name)
    {
        var checkpoint = GoldenCheckpoint.Load(name);
        using var manifest = ReadJson(Path.Combine(GoldenCheckpoint.ModelsFolder, name, "manifest.json"));
        foreach (var sample in manifest.RootElement.GetProperty("samples").EnumerateArray())
        {
            var tensor = checkpoint.Tensors.Single(t => t.Name == sample.GetProperty("name").GetString());
            var value = checkpoint.Generate(tensor)[sample.GetProperty("index").GetInt32()];
            Assert.Equal(sample.GetProperty("f32").GetDouble(), value);
            var bits = GoldenWeightGenerator.ToBFloat16(value).ToString("x4", CultureInfo.InvariantCulture);
            Assert.Equal(sample.GetProperty("bf16_bits").GetString(), bits);
        }

        Assert.Equal(manifest.RootElement.GetProperty("sha256_f32").GetString(), HashOf(checkpoint, GoldenWeights.Float32));
        Assert.Equal(manifest.RootElement.GetProperty("sha256_bf16").GetString(), HashOf(checkpoint, GoldenWeights.BFloat16));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Each_checkpoint_has_cases_in_both_weight_types_with_logits_that_agree_with_the_greedy_ids(string name)
    {
        var checkpoint = GoldenCheckpoint.Load(name);
        var full = checkpoint.CasesWith(GoldenWeights.Float32).Select(golden => golden.Name);
        Assert.NotEmpty(full);
        Assert.Equal(full, checkpoint.CasesWith(GoldenWeights.BFloat16).Select(golden => golden.Name));
        foreach (var golden in checkpoint.Cases)
        {
            var best = golden.LastLogits.Index().MaxBy(logit => logit.Item);
            var second = golden.LastLogits.Where((_, id) => id != best.Index).Max();
            Assert.Equal(golden.Greedy[0], best.Index);
            Assert.Equal(golden.GreedyMargins[0], best.Item - second, 1e-3);
            Assert.Equal(golden.Greedy.Length, golden.GreedyMargins.Length);
            Assert.Equal(golden.SessionLength, golden.Prompt.Length + golden.Greedy.Length);
        }
    }

    [Fact]
    public void A_single_file_holds_every_tensor_at_its_offset()
    {
        var checkpoint = GoldenCheckpoint.Load("qwen2");
        checkpoint.WriteTo(_folder, GoldenWeights.BFloat16);

        var data = File.ReadAllBytes(Path.Combine(_folder, "model.safetensors"));
        var start = 8 + (int)BinaryPrimitives.ReadUInt64LittleEndian(data);
        Assert.Equal(0, start % 8);
        using var header = JsonDocument.Parse(data.AsMemory(8, start - 8));
        foreach (var tensor in checkpoint.Tensors)
        {
            var entry = header.RootElement.GetProperty(tensor.Name);
            var offsets = entry.GetProperty("data_offsets");
            var bytes = data.AsSpan(start + offsets[0].GetInt32(), offsets[1].GetInt32() - offsets[0].GetInt32());
            Assert.Equal("BF16", entry.GetProperty("dtype").GetString());
            Assert.True(bytes.SequenceEqual(GoldenSafetensors.ToBytes(checkpoint.Generate(tensor), GoldenWeights.BFloat16)), tensor.Name);
        }

        Assert.Equal(data.Length, start + (checkpoint.Tensors.Sum(t => t.ElementCount) * 2));
        using var config = ReadJson(Path.Combine(_folder, "config.json"));
        Assert.Equal("bfloat16", config.RootElement.GetProperty("torch_dtype").GetString());
    }

    [Fact]
    public void Shards_hold_each_tensor_once_and_the_index_says_where()
    {
        var checkpoint = GoldenCheckpoint.Load("llama");
        checkpoint.WriteTo(_folder, GoldenWeights.Float32, shards: 2, newerConfig: true);

        using var index = ReadJson(Path.Combine(_folder, "model.safetensors.index.json"));
        var map = index.RootElement.GetProperty("weight_map").EnumerateObject()
            .ToDictionary(entry => entry.Name, entry => entry.Value.GetString()!);
        Assert.Equal(checkpoint.Tensors.Select(t => t.Name).Order(), map.Keys.Order());
        Assert.Equal(["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"], map.Values.Distinct().Order());
        foreach (var file in map.Values.Distinct())
        {
            var data = File.ReadAllBytes(Path.Combine(_folder, file));
            using var header = JsonDocument.Parse(data.AsMemory(8, (int)BinaryPrimitives.ReadUInt64LittleEndian(data)));
            var names = header.RootElement.EnumerateObject().Select(entry => entry.Name).Where(entry => entry != "__metadata__");
            Assert.Equal(map.Where(entry => entry.Value == file).Select(entry => entry.Key).Order(), names.Order());
        }

        Assert.False(File.Exists(Path.Combine(_folder, "model.safetensors")));
        using var config = ReadJson(Path.Combine(_folder, "config.json"));
        Assert.Equal("float32", config.RootElement.GetProperty("dtype").GetString());
        Assert.True(config.RootElement.TryGetProperty("rope_parameters", out _));
    }

    private static JsonDocument ReadJson(string path) => JsonDocument.Parse(File.ReadAllBytes(path));

    private static string HashOf(GoldenCheckpoint checkpoint, GoldenWeights weights)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var tensor in checkpoint.Tensors)
            hash.AppendData(GoldenSafetensors.ToBytes(checkpoint.Generate(tensor), weights));
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
