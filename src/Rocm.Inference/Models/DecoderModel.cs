
namespace Rocm.Inference.Models;

/// <summary>How far loading has come.</summary>
/// <param name="BytesDone">Bytes of the checkpoint that are packed; never goes back.</param>
/// <param name="BytesTotal"><see cref="DecoderPlan.MatrixBytes"/>.</param>
internal readonly record struct WeightLoadProgress(long BytesDone, long BytesTotal);

/// <summary>
/// A decoder whose weights are on a device. Immutable and thread-safe after loading: several contexts may run it at once.
/// The device outlives it.
/// </summary>
internal sealed class DecoderModel : IDisposable
{
    private readonly DecoderParts _parts;

    private DecoderModel(DecoderPlan plan, DecoderParts parts)
    {
        _parts = parts;
        Config = plan.Config;
        Settings = plan.Settings;
        Groups = plan.Groups;
    }

    public ModelConfig Config { get; }

    public ModelRuntimeSettings Settings { get; }

    /// <summary>The layer groups; executors, batch groups and cache storage follow this order.</summary>
    public LayerGroupPlan Groups { get; }

    /// <summary>Vocabulary: the width of a row of logits.</summary>
    public int VocabSize => Config.Decoder.Dimensions.VocabSize;

    /// <summary>Memory that the packed weights, norms and rope tables keep resident.</summary>
    public long ResidentBytes => _parts.ResidentBytes;

    /// <summary>
    /// Packs the weights onto a device. The mapped checkpoint is closed afterwards, unless a packed weight reads it in place.
    /// </summary>
    /// <param name="plan">The model; gives up its mapping.</param>
    /// <param name="device">Where the model will run.</param>
    /// <param name="progress">Told after each matrix, on the calling thread.</param>
    /// <param name="cancellationToken">Checked between matrices.</param>
    /// <exception cref="DeviceMemoryException">The device has no room.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; everything packed so far is released.</exception>
    public static DecoderModel Load(DecoderPlan plan, IDevice device, IProgress<WeightLoadProgress>? progress, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(plan.ActivationDType, device.ActivationDType, nameof(plan));
        return new DecoderModel(plan, DecoderLoader.Load(plan, device, progress, cancellationToken));
    }

    /// <summary>What the attention executor of a layer works on.</summary>
    /// <param name="layer">Model layer.</param>
    /// <param name="cache">The layer's cache; gets the layer's scales.</param>
    public AttentionLayerResources AttentionResources(int layer, KvCacheView cache)
    {
        AttentionParts attention = _parts.Attention[layer];
        return new AttentionLayerResources
        {
            LayerIndex = layer,
            Cache = cache with { KeyScales = attention.KeyScales, ValueScales = attention.ValueScales },
            Rope = attention.Rope,
            Sinks = attention.Sinks,
            Mla = attention.Mla,
        };
    }

    /// <summary>Computes the logits of one step.</summary>
    /// <param name="context">Where it runs; its arena holds at least <see cref="DecoderPlan.ScratchBytes"/>.</param>
    /// <param name="batch">The step.</param>
    /// <param name="executors">One for each of <see cref="Groups"/>, already planned for <paramref name="batch"/>.</param>
    /// <param name="logits">[at least NumLogitRows, vocabulary]; row i is that of <see cref="ForwardBatch.LogitRows"/>[i].</param>
    public void Forward(DeviceContext context, ForwardBatch batch, ReadOnlySpan<IAttentionExecutor> executors, TensorView logits)
    {
        if (executors.Length != Groups.Groups.Count)
            throw new ArgumentException($"{Groups.Groups.Count} executors are needed, one for each layer group, not {executors.Length}.", nameof(executors));
        if (batch.NumTokens == 0) return;
        long mark = context.Mark();
        DType activation = context.Device.ActivationDType;
        TensorView hidden = context.Scratch(activation, batch.NumTokens, Config.Decoder.Dimensions.HiddenSize);
        TensorView x = context.Scratch(activation, batch.NumTokens, Config.Decoder.Dimensions.HiddenSize);
        _parts.Embedding.Forward(context, batch.InputIds, hidden);
        int last = _parts.Layers.Length - 1;
        for (int layer = 0; layer < last; layer++)
        {
            (int group, int index) = Groups.Locate(layer);
            _parts.Layers[layer].Forward(context, executors[group], index, hidden, x);
        }

        (int lastGroup, int lastIndex) = Groups.Locate(last);
        TensorView rows = batch.NumLogitRows == 0 ? default : batch.LogitRows.Slice(0, 0, batch.NumLogitRows);
        TensorView wanted = _parts.Layers[last].ForwardRows(context, executors[lastGroup], lastIndex, hidden, x, rows);
        if (batch.NumLogitRows > 0) _parts.Head.Forward(context, wanted, logits.Slice(0, 0, batch.NumLogitRows));
        context.Release(mark);
    }

    public void Dispose() => _parts.Dispose();
}
