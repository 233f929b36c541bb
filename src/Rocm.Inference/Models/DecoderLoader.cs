using Rocm.Inference.Devices;
using Rocm.Inference.Layers;
using Rocm.Inference.Models.Weights;

namespace Rocm.Inference.Models;

/// <summary>Turns a <see cref="DecoderPlan"/> into layers on a device, one matrix after the other, so that no more than one is in flight.</summary>
internal sealed class DecoderLoader
{
    private readonly DecoderPlan _plan;
    private readonly IDevice _device;
    private readonly DeviceContext _context;
    private readonly IProgress<WeightLoadProgress>? _progress;
    private readonly CancellationToken _cancellationToken;
    private readonly DecoderParts _parts;
    private readonly long _totalBytes;
    private long _doneBytes;
    private bool _sharesSource;

    private DecoderLoader(
        DecoderPlan plan, IDevice device, DeviceContext context, DecoderParts parts, IProgress<WeightLoadProgress>? progress, CancellationToken cancellationToken)
    {
        _plan = plan;
        _device = device;
        _context = context;
        _progress = progress;
        _cancellationToken = cancellationToken;
        _parts = parts;
        _totalBytes = plan.MatrixBytes;
    }

    private DecoderSpec Spec => _plan.Config.Decoder;

    public static DecoderParts Load(DecoderPlan plan, IDevice device, IProgress<WeightLoadProgress>? progress, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        ModelWeights? weights = plan.TakeWeights();
        var parts = new DecoderParts(plan.Config.Decoder.Layers.Count);
        try
        {
            using DeviceContext context = device.CreateContext(arenaBytes: 0);
            var loader = new DecoderLoader(plan, device, context, parts, progress, cancellationToken);
            loader.LoadAll();
            context.Synchronize();
            if (loader._sharesSource) (parts.Mapping, weights) = (weights, null);
            return parts;
        }
        catch
        {
            parts.Dispose();
            throw;
        }
        finally
        {
            weights?.Dispose();
        }
    }

    private void LoadAll()
    {
        DecoderSources sources = _plan.Sources;
        long normBytes = sources.Vectors.Sum(NormStorage.BytesOf);
        _parts.Norms = new NormStorage(_context, normBytes);
        _parts.ResidentBytes = normBytes;
        foreach (RopeParameters rope in _plan.Ropes)
        {
            _parts.RopeTables.Add(rope, RotaryEmbedding.CreateTable(_context, rope, _plan.Settings.MaxSeqLen, _cancellationToken));
            _parts.ResidentBytes += RotaryEmbedding.TableBytes(rope, _plan.Settings.MaxSeqLen);
        }

        _parts.Embedding = new TokenEmbedding(Pack(sources.Embedding), sources.EmbeddingScale);
        for (int layer = 0; layer < _parts.Layers.Length; layer++)
        {
            RopeParameters? rope = Spec.Layers[layer].Attention.Rope;
            _parts.SetRope(layer, rope is null ? null : _parts.RopeTables[rope]);
            _parts.Layers[layer] = Layer(Spec.Layers[layer], sources.Layers[layer]);
        }

        if (sources.Head is { } head) _parts.HeadWeight = Pack(head);
        _parts.Head = new LmHead(Norm(sources.FinalNorm), _parts.HeadWeight ?? _parts.Embedding.Table, Spec.FinalSoftCap);
    }

    private DecoderLayer Layer(DecoderLayerSpec spec, DecoderLayerSources sources)
    {
        // Norms first: they are owned elsewhere, so nothing has to be undone when packing fails.
        RmsNorm attentionNorm = Norm(sources.AttentionNorm);
        RmsNorm mlpNorm = Norm(sources.MlpNorm);
        RmsNorm? postAttentionNorm = OptionalNorm(sources.PostAttentionNorm);
        RmsNorm? postMlpNorm = OptionalNorm(sources.PostMlpNorm);
        AttentionLayer attention = Attention(spec.Attention, sources.Attention);
        try
        {
            return new DecoderLayer(attention, Mlp(spec.Mlp, sources.Mlp), attentionNorm, mlpNorm, postAttentionNorm, postMlpNorm);
        }
        catch
        {
            attention.Dispose();
            throw;
        }
    }

    private MhaAttention Attention(AttentionLayerSpec spec, AttentionSources sources)
    {
        if (spec is not MhaSpec mha || sources is not MhaSources tensors)
            throw new NotSupportedException($"{spec.GetType().Name} cannot be loaded.");
        RmsNorm? queryNorm = OptionalNorm(tensors.QueryNorm);
        RmsNorm? keyNorm = OptionalNorm(tensors.KeyNorm);
        (Linear qkv, Linear output) = Pair(tensors.Qkv, tensors.Output);
        return new MhaAttention(qkv, output, queryNorm, keyNorm, mha.NumQoHeads, mha.NumKvHeads, mha.HeadDim);
    }

    private GatedMlp Mlp(MlpSpec spec, MlpSources sources)
    {
        if (spec is not GatedMlpSpec gated || sources is not GatedMlpSources tensors)
            throw new NotSupportedException($"{spec.GetType().Name} cannot be loaded.");
        (Linear gateUp, Linear down) = Pair(tensors.GateUp, tensors.Down);
        return new GatedMlp(gateUp, down, gated.Activation);
    }

    private (Linear First, Linear Second) Pair(in WeightSource first, in WeightSource second)
    {
        PackedWeight packed = Pack(first);
        try
        {
            return (new Linear(packed), new Linear(Pack(second)));
        }
        catch
        {
            packed.Dispose();
            throw;
        }
    }

    private PackedWeight Pack(in WeightSource source)
    {
        _cancellationToken.ThrowIfCancellationRequested();
        PackedWeight packed = _device.Pack(source);
        _sharesSource |= packed.SharesSource;
        _parts.ResidentBytes += packed.SizeBytes;
        _doneBytes += DecoderSources.BytesOf(source);
        _progress?.Report(new WeightLoadProgress(_doneBytes, _totalBytes));
        return packed;
    }

    private RmsNorm Norm(float[] weight) => new(_parts.Norms!.Add(weight), Spec.Dimensions.RmsNormEps, Spec.NormOffset);

    private RmsNorm? OptionalNorm(float[]? weight) => weight is null ? null : Norm(weight);
}
