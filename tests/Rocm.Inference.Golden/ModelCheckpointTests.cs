using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Golden;

/// <summary>What a config promises about its checkpoint, against checkpoints of an independent program.</summary>
public sealed class ModelCheckpointTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("checkpoint-").FullName;

    public static TheoryData<string> Supported => GoldenPlanTests.Supported;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [MemberData(nameof(Supported))]
    public void A_config_tells_every_tensor_of_its_checkpoint_with_its_shape(string name)
    {
        GoldenCheckpoint checkpoint = GoldenCheckpoint.Load(name);
        checkpoint.WriteTo(_folder, GoldenWeights.BFloat16);
        File.Delete(Path.Combine(_folder, "model.safetensors"));

        IReadOnlyList<CheckpointTensor> tensors = ModelCheckpoint.RequiredTensors(_folder);

        Assert.Equal(
            checkpoint.Tensors.Select(tensor => $"{tensor.Name} [{string.Join(", ", tensor.Shape)}]").Order(StringComparer.Ordinal),
            tensors.Select(tensor => $"{tensor.Name} [{string.Join(", ", tensor.Shape)}]").Order(StringComparer.Ordinal));
    }

    [Fact]
    public void A_folder_without_config_is_refused() =>
        Assert.Contains("config.json", Assert.Throws<ModelLoadException>(() => ModelCheckpoint.RequiredTensors(_folder)).Message, StringComparison.Ordinal);
}
