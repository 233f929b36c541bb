using Rocm.Inference.Devices;

namespace Rocm.Inference.Models;

/// <summary>A model's tensors, found and checked, before anything is uploaded. Matrices are still in mapped memory; norms are copies.</summary>
internal sealed record DecoderSources
{
    public required WeightSource Embedding { get; init; }

    /// <summary>The LM head, or null when it is the embedding.</summary>
    public required WeightSource? Head { get; init; }

    public required float[] FinalNorm { get; init; }

    public required IReadOnlyList<DecoderLayerSources> Layers { get; init; }

    /// <summary>Factor on embeddings: 1, or Gemma's.</summary>
    public required float EmbeddingScale { get; init; }

    /// <summary>All matrices that are packed, in loading order.</summary>
    public IEnumerable<WeightSource> Matrices
    {
        get
        {
            yield return Embedding;
            foreach (DecoderLayerSources layer in Layers)
            {
                foreach (WeightSource source in layer.Attention.Matrices) yield return source;
                foreach (WeightSource source in layer.Mlp.Matrices) yield return source;
            }

            if (Head is { } head) yield return head;
        }
    }

    /// <summary>All norm vectors, in loading order.</summary>
    public IEnumerable<float[]> Vectors => Layers.SelectMany(layer => layer.Vectors).Append(FinalNorm);

    /// <summary>Elements of a matrix and its bias.</summary>
    public static long ElementsOf(WeightSource source)
    {
        long count = source.Bias?.Length ?? 0;
        foreach (WeightMatrix part in source.Parts.Span) count += (long)part.Rows * part.Columns;
        return count;
    }

    /// <summary>Bytes of a matrix in the checkpoint, its bias as f32.</summary>
    public static long BytesOf(in WeightSource source)
    {
        long bytes = (source.Bias?.Length ?? 0) * (long)sizeof(float);
        foreach (WeightMatrix part in source.Parts.Span) bytes += (long)part.Rows * part.Columns * part.DType.ByteSize();
        return bytes;
    }
}

/// <summary>Tensors of one layer. Post norms are null unless the layer has sandwich norms.</summary>
internal sealed record DecoderLayerSources(
    AttentionSources Attention, MlpSources Mlp, float[] AttentionNorm, float[]? PostAttentionNorm, float[] MlpNorm, float[]? PostMlpNorm)
{
    public IEnumerable<float[]> Vectors
    {
        get
        {
            yield return AttentionNorm;
            if (PostAttentionNorm is not null) yield return PostAttentionNorm;
            foreach (float[] vector in Attention.Vectors) yield return vector;
            yield return MlpNorm;
            if (PostMlpNorm is not null) yield return PostMlpNorm;
        }
    }
}

/// <summary>Tensors of one layer's attention.</summary>
internal abstract record AttentionSources
{
    public abstract IEnumerable<WeightSource> Matrices { get; }

    public abstract IEnumerable<float[]> Vectors { get; }
}

/// <param name="Qkv">[(Hq + 2 Hkv) · D, hidden].</param>
/// <param name="Output">[hidden, Hq · D].</param>
/// <param name="QueryNorm">[D], or null.</param>
/// <param name="KeyNorm">[D], or null.</param>
internal sealed record MhaSources(WeightSource Qkv, WeightSource Output, float[]? QueryNorm, float[]? KeyNorm) : AttentionSources
{
    public override IEnumerable<WeightSource> Matrices => [Qkv, Output];

    public override IEnumerable<float[]> Vectors => QueryNorm is not null && KeyNorm is not null ? [QueryNorm, KeyNorm] : [];
}

/// <summary>Tensors of one layer's MLP.</summary>
internal abstract record MlpSources
{
    public abstract IEnumerable<WeightSource> Matrices { get; }
}

/// <param name="GateUp">[2F, hidden]: gate, then up.</param>
/// <param name="Down">[hidden, F].</param>
internal sealed record GatedMlpSources(WeightSource GateUp, WeightSource Down) : MlpSources
{
    public override IEnumerable<WeightSource> Matrices => [GateUp, Down];
}
