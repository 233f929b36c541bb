using System.Text.Json;
using System.Text.Json.Nodes;

namespace Rocm.Inference.TestKit;

internal enum GoldenWeights
{
    Float32,
    BFloat16,
}

/// <summary>One generated tensor of a golden checkpoint; see <see cref="GoldenWeightGenerator"/>.</summary>
internal sealed record GoldenTensor(string Name, long[] Shape, double Scale, double Offset)
{
    public long ElementCount => Shape.Aggregate(1L, (product, size) => product * size);
}

/// <summary>
/// A small random-weight checkpoint of one architecture under tests/Rocm.Inference.Golden/models, with what an independent program
/// computed for it. Its weights are generated when it is written as a Hugging Face folder; the README there tells how the numbers came
/// about.
/// </summary>
internal sealed class GoldenCheckpoint
{
    private readonly string _folder;

    private GoldenCheckpoint(
        string folder, ulong seed, IReadOnlyList<GoldenTensor> tensors, IReadOnlyList<GoldenCase> cases)
    {
        _folder = folder;
        Seed = seed;
        Tensors = tensors;
        Cases = cases;
    }

    public static string ModelsFolder => Path.Combine(RepositoryPaths.Root, "tests", "Rocm.Inference.Golden", "models");

    /// <summary>The name of the folder, such as <c>llama-rope-yarn</c>.</summary>
    public string Name => Path.GetFileName(_folder);

    public ulong Seed { get; }

    public IReadOnlyList<GoldenTensor> Tensors { get; }

    public IReadOnlyList<GoldenCase> Cases { get; }

    /// <summary>The committed checkpoints' names, in ordinal order.</summary>
    public static IReadOnlyList<string> Names { get; } =
        [.. Directory.GetDirectories(ModelsFolder).Select(folder => Path.GetFileName(folder)).Order(StringComparer.Ordinal)];

    public static GoldenCheckpoint Load(string name)
    {
        var folder = Path.Combine(ModelsFolder, name);
        using var manifest = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "manifest.json")));
        GoldenTensor[] tensors = [.. manifest.RootElement.GetProperty("tensors").EnumerateArray().Select(ReadTensor)];
        var cases = GoldenCase.ReadAll(Path.Combine(folder, "expected.json"));
        return new(folder, manifest.RootElement.GetProperty("seed").GetUInt64(), tensors, cases);
    }

    public IEnumerable<GoldenCase> CasesWith(GoldenWeights weights) => Cases.Where(golden => golden.Weights == weights);

    public float[] Generate(GoldenTensor tensor) => GoldenWeightGenerator.Generate(tensor, Seed);

    /// <summary>
    /// Writes config.json and the weights into <paramref name="directory"/>, which is created: one model.safetensors, or
    /// <paramref name="shards"/> files with model.safetensors.index.json.
    /// </summary>
    /// <param name="newerConfig">Writes the configuration as transformers 5 saves it instead of the 4.x form.</param>
    public void WriteTo(string directory, GoldenWeights weights, int shards = 1, bool newerConfig = false)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(shards, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(shards, Tensors.Count);
        Directory.CreateDirectory(directory);
        WriteConfig(directory, weights, newerConfig);
        if (shards == 1)
        {
            GoldenSafetensors.Write(Path.Combine(directory, "model.safetensors"), weights, Tensors, Generate);
            return;
        }

        var map = new JsonObject();
        long bytes = 0;
        for (var shard = 0; shard < shards; shard++)
        {
            var file = $"model-{shard + 1:D5}-of-{shards:D5}.safetensors";
            var range = (Tensors.Count * shard / shards)..(Tensors.Count * (shard + 1) / shards);
            GoldenTensor[] part = [.. Tensors.Take(range)];
            bytes += GoldenSafetensors.Write(Path.Combine(directory, file), weights, part, Generate);
            foreach (var tensor in part)
                map[tensor.Name] = file;
        }

        var index = new JsonObject { ["metadata"] = new JsonObject { ["total_size"] = bytes }, ["weight_map"] = map };
        File.WriteAllText(Path.Combine(directory, "model.safetensors.index.json"), index.ToJsonString());
    }

    private void WriteConfig(string directory, GoldenWeights weights, bool newerConfig)
    {
        var source = Path.Combine(_folder, newerConfig ? "config.v5.json" : "config.json");
        var config = JsonNode.Parse(File.ReadAllBytes(source))!.AsObject();
        config[newerConfig ? "dtype" : "torch_dtype"] = weights == GoldenWeights.Float32 ? "float32" : "bfloat16";
        File.WriteAllText(Path.Combine(directory, "config.json"), config.ToJsonString());
    }

    private static GoldenTensor ReadTensor(JsonElement tensor) => new(
        tensor.GetProperty("name").GetString()!,
        [.. tensor.GetProperty("shape").EnumerateArray().Select(size => size.GetInt64())],
        tensor.GetProperty("scale").GetDouble(),
        tensor.GetProperty("offset").GetDouble());
}
