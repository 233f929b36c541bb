using Rocm.Inference.Devices;
using Rocm.Inference.Layers;
using Rocm.Inference.Models.Weights;

namespace Rocm.Inference.Models;

/// <summary>
/// Everything about a model that is known before any upload: its layer groups, and the memory it will take. Owns the mapped checkpoint until
/// <see cref="DecoderModel.Load"/> takes it or the plan is disposed.
/// </summary>
internal sealed class DecoderPlan : IDisposable
{
    private ModelWeights? _weights;

    private DecoderPlan(ModelConfig config, ModelRuntimeSettings settings, DType activation, ModelWeights weights, DecoderSources sources)
    {
        Config = config;
        Settings = settings;
        ActivationDType = activation;
        _weights = weights;
        Sources = sources;
        bool hasScales = sources.Layers.Any(layer => layer.CacheScales.Any);
        AttentionSpec[] specs =
            [.. config.Decoder.Layers.Select(layer => layer.Attention.ToAttentionSpec(settings, activation) with { HasKvScales = hasScales })];
        Groups = LayerGroupPlan.Create(specs);
        Ropes = [.. config.Decoder.Layers.Select(layer => layer.Attention.Rope).OfType<RopeParameters>().Distinct()];
        string[] predictors = [.. Enumerable.Range(specs.Length, config.Decoder.NumPredictorLayers).Select(layer => $"{sources.Prefix}layers.{layer}.")];
        PredictorTensors = [.. weights.Unused.Where(name => predictors.Any(prefix => name.StartsWith(prefix, StringComparison.Ordinal)))];
        UnusedTensors = [.. weights.Unused.Except(PredictorTensors)];
    }

    public ModelConfig Config { get; }

    public ModelRuntimeSettings Settings { get; }

    public DType ActivationDType { get; }

    /// <summary>The layer groups, for the KV cache and the attention executors.</summary>
    public LayerGroupPlan Groups { get; }

    /// <summary>Tensors of the checkpoint that the model does not read (vision towers, rotary buffers); to be logged.</summary>
    public IReadOnlyList<string> UnusedTensors { get; }

    /// <summary>Tensors of <see cref="DecoderSpec.NumPredictorLayers"/>, which are not read; to be logged.</summary>
    public IReadOnlyList<string> PredictorTensors { get; }

    /// <summary>Bytes of all matrices and biases, in the element types that they are kept in; what the progress counts.</summary>
    public long MatrixBytes => Sources.Matrices.Concat(Sources.SecondCopies).Sum(source => DecoderSources.BytesOf(source));

    /// <summary>Device memory that the loaded model will take: matrices, norms, rope tables. Packing may pad a little.</summary>
    public long WeightBytes => MatrixBytes + VectorBytes + Ropes.Sum(rope => RotaryEmbedding.TableBytes(rope, Settings.MaxSeqLen));

    /// <summary>Element type of the larger part of the weights.</summary>
    public DType WeightDType => Sources.Matrices.SelectMany(source => source.Parts.ToArray())
        .GroupBy(part => part.DType, part => (long)part.Rows * part.Columns).MaxBy(type => type.Sum())!.Key;

    /// <summary>Weights of all matrices and norms; a tied head counts once.</summary>
    public long ParameterCount => Sources.Matrices.Sum(DecoderSources.ElementsOf) + Sources.Vectors.Sum(vector => (long)vector.Length);

    internal DecoderSources Sources { get; }

    /// <summary>The distinct rope parameters of all layers.</summary>
    internal IReadOnlyList<RopeParameters> Ropes { get; }

    /// <summary>Memory of all vectors in <see cref="NormStorage"/>.</summary>
    internal long VectorBytes => Sources.Vectors.Concat(Sources.CacheScales).Sum(NormStorage.BytesOf);

    /// <summary>Reads the checkpoint's headers and checks every tensor that the model needs.</summary>
    /// <param name="folder">The model folder.</param>
    /// <param name="settings">The session's choices.</param>
    /// <param name="activation">The device's <see cref="IDevice.ActivationDType"/>.</param>
    /// <param name="parallel">Which slice to hold; version 1 holds all.</param>
    /// <exception cref="ModelLoadException">A tensor is missing, damaged, or of another type or shape than the config says.</exception>
    public static DecoderPlan Create(ModelFolder folder, in ModelRuntimeSettings settings, DType activation, ParallelContext parallel)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(settings.MaxSeqLen, 1, nameof(settings));
        ArgumentOutOfRangeException.ThrowIfNotEqual(parallel.World, 1, nameof(parallel));
        ModelWeights weights = ModelWeights.Open(folder.Path);
        try
        {
            DecoderSources sources = DecoderSourceResolver.Resolve(folder.Config.Decoder, settings.KvDType, weights);
            return new DecoderPlan(folder.Config, settings, activation, weights, sources);
        }
        catch
        {
            weights.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Scratch that <see cref="DecoderModel.Forward"/> takes from the context's arena at most, logits not included.
    /// </summary>
    /// <param name="limits">The largest step.</param>
    /// <param name="device">Where it will run.</param>
    /// <param name="executorWorkspaceBytes">Largest <see cref="IAttentionBackend.WorkspaceBytes"/> of the groups.</param>
    public long ScratchBytes(BatchLimits limits, IDevice device, long executorWorkspaceBytes) =>
        DecoderScratch.Bytes(Config.Decoder, [.. Experts(device).Select(experts => experts.Fused)], limits.MaxNumTokens, ActivationDType, executorWorkspaceBytes)
        + Sources.Products.Max(weight => device.LinearScratchBytes(weight, limits.MaxNumTokens));

    /// <summary>Of every layer its experts as one op of a device; null for a layer without experts and where the device has none, there with reasons.</summary>
    public IEnumerable<(IFusedExperts? Fused, IReadOnlyList<string>? Reasons)> Experts(IDevice device)
    {
        for (int layer = 0; layer < Sources.Layers.Count; layer++)
        {
            (IFusedExperts? Fused, IReadOnlyList<string>? Reasons) experts = default;
            if (Config.Decoder.Layers[layer].Mlp is MoeSpec moe && Sources.Layers[layer].Mlp is MoeSources sources)
                experts.Fused = sources.Fuse(moe, device, out experts.Reasons);
            yield return experts;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _weights?.Dispose();
        _weights = null;
    }

    /// <summary>Hands the mapped checkpoint to the caller.</summary>
    internal ModelWeights TakeWeights()
    {
        ModelWeights weights = _weights ?? throw new ObjectDisposedException(nameof(DecoderPlan), "The plan was disposed, or its model is already loaded.");
        _weights = null;
        return weights;
    }
}
