using System.Text.Json;
using Rocm.Inference.Models;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Golden;

/// <summary>The loader takes every checkpoint whose family it knows: either config style, either weight type, sharded or not.</summary>
public sealed class GoldenPlanTests : IDisposable
{
    private static readonly ModelRuntimeSettings Settings = new(MaxSeqLen: 128, KvDType: DType.F32);
    private readonly string _folder = Directory.CreateTempSubdirectory("golden-").FullName;

    public static TheoryData<string> Supported => [.. GoldenCheckpoint.Names.Where(IsSupported)];

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Every_checkpoint_has_a_family() => Assert.All(GoldenCheckpoint.Names, name => Assert.True(IsSupported(name), name));

    [Theory]
    [MemberData(nameof(Supported))]
    public void Every_tensor_is_found_under_its_published_name_and_none_is_left_over(string name)
    {
        var checkpoint = GoldenCheckpoint.Load(name);
        foreach (var weights in new[] { GoldenWeights.Float32, GoldenWeights.BFloat16 })
        {
            var folder = Path.Combine(_folder, weights.ToString());
            checkpoint.WriteTo(folder, weights, shards: weights == GoldenWeights.Float32 ? 1 : 2);
            using var plan = DecoderPlan.Create(ModelFolder.Open(folder), Settings, DType.F32, ParallelContext.Single);
            Assert.Empty(plan.UnusedTensors);
        }
    }

    [Theory]
    [MemberData(nameof(Supported))]
    public void Both_config_styles_describe_the_same_model(string name)
    {
        var checkpoint = GoldenCheckpoint.Load(name);
        checkpoint.WriteTo(Path.Combine(_folder, "published"), GoldenWeights.BFloat16);
        checkpoint.WriteTo(Path.Combine(_folder, "newer"), GoldenWeights.BFloat16, newerConfig: true);

        var published = ModelFolder.Open(Path.Combine(_folder, "published")).Config;
        var newer = ModelFolder.Open(Path.Combine(_folder, "newer")).Config;
        Assert.Equal(published.Decoder.Layers, newer.Decoder.Layers);
        Assert.Equal(published.Decoder with { Layers = [] }, newer.Decoder with { Layers = [] });
        Assert.Equal(published.EosTokenIds, newer.EosTokenIds);
        Assert.Equal(published.BosTokenId, newer.BosTokenId);
    }

    private static bool IsSupported(string name)
    {
        using var config = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(GoldenCheckpoint.ModelsFolder, name, "config.json")));
        return ModelRegistry.Architectures.Contains(config.RootElement.GetProperty("architectures")[0].GetString());
    }
}
