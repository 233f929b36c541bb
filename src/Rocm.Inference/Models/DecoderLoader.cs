using Rocm.Inference.Layers;
using Rocm.Inference.Models.Weights;

namespace Rocm.Inference.Models;

/// <summary>Turns a <see cref="DecoderPlan"/> into layers on a device, one matrix after the other, so that no more than one is in flight.</summary>
internal static class DecoderLoader
{
    public static DecoderParts Load(DecoderPlan plan, IDevice device, IProgress<WeightLoadProgress>? progress, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        ModelWeights? weights = plan.TakeWeights();
        var parts = new DecoderParts(plan.Config.Decoder.Layers.Count);
        try
        {
            using DeviceContext context = device.CreateContext(arenaBytes: 0);
            using var uploader = new WeightUploader(plan, device, parts, progress, cancellationToken);
            LoadTables(plan, context, parts, cancellationToken);
            LoadWeights(plan, uploader, parts);
            context.Synchronize();
            if (uploader.SharesSource) (parts.Mapping, weights) = (weights, null);
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

    private static void LoadTables(DecoderPlan plan, DeviceContext context, DecoderParts parts, CancellationToken cancellationToken)
    {
        parts.Norms = new NormStorage(context, plan.VectorBytes);
        parts.ResidentBytes = plan.VectorBytes;
        foreach (RopeParameters rope in plan.Ropes)
        {
            parts.RopeTables.Add(rope, RotaryEmbedding.CreateTable(context, rope, plan.Settings.MaxSeqLen, cancellationToken));
            parts.ResidentBytes += RotaryEmbedding.TableBytes(rope, plan.Settings.MaxSeqLen);
        }
    }

    private static void LoadWeights(DecoderPlan plan, WeightUploader uploader, DecoderParts parts)
    {
        DecoderSpec spec = plan.Config.Decoder;
        DecoderSources sources = plan.Sources;
        parts.Embedding = new TokenEmbedding(uploader.Pack(sources.Embedding), sources.EmbeddingScale);
        uploader.HandOver();
        var layers = new LayerLoader(uploader, parts);
        for (int layer = 0; layer < parts.Layers.Length; layer++) layers.Load(layer, spec.Layers[layer], sources.Layers[layer]);
        if (sources.Head is { } head) parts.HeadWeight = uploader.Pack(head);
        uploader.HandOver();
        parts.Head = new LmHead(uploader.Norm(sources.FinalNorm), parts.HeadWeight ?? parts.Embedding.Table, spec.FinalSoftCap);
    }
}
