using System.Text.Json;

namespace Rocm.Inference.Models.Weights;

/// <summary>model.safetensors.index.json: which shard holds which tensor.</summary>
/// <param name="Path">The index file.</param>
/// <param name="Shards">Shard file name to the tensors that it must hold.</param>
internal sealed record ShardIndex(string Path, IReadOnlyDictionary<string, IReadOnlyList<string>> Shards)
{
    private const int MaxShards = 10_000;

    /// <exception cref="ModelLoadException">The index is damaged, or names a file outside its folder.</exception>
    public static ShardIndex Read(string path)
    {
        using ConfigFile file = ConfigFile.Read(path, maxBytes: 128 << 20);
        JsonElement map = file.Root.Element("weight_map")
            ?? throw new ModelLoadException("The shard index has no weight_map.", path, "weight_map", "an object of tensor: file", "nothing");
        if (map.ValueKind != JsonValueKind.Object)
            throw new ModelLoadException("The shard index's weight_map is not an object.", path, "weight_map", "an object of tensor: file", map.ValueKind.ToString());
        var shards = new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal);
        foreach (JsonProperty entry in map.EnumerateObject())
        {
            string shard = entry.Value.ValueKind == JsonValueKind.String ? ConfigSection.Text(entry.Value, path, entry.Name) : string.Empty;
            if (!IsPlainName(shard))
            {
                throw new ModelLoadException(
                    "The shard index names a file that is not a .safetensors file beside it.", path, entry.Name, "a plain file name ending in .safetensors",
                    entry.Value.ValueKind == JsonValueKind.String ? shard : entry.Value.ValueKind.ToString());
            }

            if (!shards.TryGetValue(shard, out IReadOnlyList<string>? names))
            {
                if (shards.Count == MaxShards) throw new ModelLoadException("The shard index names too many files.", path, expected: $"at most {MaxShards}", found: "more");
                shards.Add(shard, names = new List<string>());
            }

            ((List<string>)names).Add(entry.Name);
        }

        if (shards.Count == 0) throw new ModelLoadException("The shard index lists no tensor.", path, "weight_map", "at least one tensor", "an empty object");
        return new ShardIndex(path, shards);
    }

    // Both separators and drive colons are refused on every system, so that an index means the same everywhere.
    private static bool IsPlainName(string name) =>
        name.EndsWith(".safetensors", StringComparison.Ordinal) && name.AsSpan().IndexOfAny("/\\:\0") < 0 && !name.StartsWith('.');
}
