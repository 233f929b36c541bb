using Rocm.Inference.Models;
using Rocm.Inference.Models.Weights;

namespace Rocm.Inference;

/// <summary>A tensor of a checkpoint.</summary>
/// <param name="Name">Its Hugging Face name, for example <c>model.layers.0.self_attn.q_proj.weight</c>.</param>
/// <param name="Shape">Dimensions, outermost first: a matrix is [output features, input features].</param>
public sealed record CheckpointTensor(string Name, IReadOnlyList<int> Shape);

/// <summary>What a checkpoint must hold, told by the model's <c>config.json</c> alone: no weights are needed.</summary>
public static class ModelCheckpoint
{
    /// <summary>
    /// Every tensor that a session would load of an unquantized checkpoint. For planning before a download, for converters, and for making
    /// checkpoints of random weights.
    /// </summary>
    /// <param name="modelPath">Folder with <c>config.json</c>.</param>
    /// <returns>The tensors in the order in which a session reads them.</returns>
    /// <exception cref="ModelLoadException">The config is missing, damaged or of an unknown kind.</exception>
    public static IReadOnlyList<CheckpointTensor> RequiredTensors(string modelPath)
    {
        ModelFolder folder = ModelFolder.Open(modelPath);
        var inventory = new TensorInventory(Path.Combine(folder.Path, "config.json"));
        DecoderSpec decoder = folder.Config.Decoder with { Quantization = WeightQuantization.None };
        DecoderSourceResolver.Resolve(decoder, DType.BF16, inventory);
        return inventory.Tensors;
    }
}
