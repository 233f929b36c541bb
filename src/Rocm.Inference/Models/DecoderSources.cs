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

    /// <summary>What the names of the decoder's tensors begin with, before "layers.".</summary>
    public required string Prefix { get; init; }

    /// <summary>All matrices that are packed, in loading order; the checkpoint's weights once each.</summary>
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

    /// <summary>Matrices that all rows of a step are multiplied with: those of experts are not among them.</summary>
    public IEnumerable<WeightSource> Products =>
        [.. Layers.SelectMany(layer => layer.Attention.Matrices.Concat(layer.Mlp.Products)), Head ?? Embedding];

    /// <summary>Matrices that are packed a second time in another form.</summary>
    public IEnumerable<WeightSource> SecondCopies => Layers.SelectMany(layer => layer.Attention.SecondCopies);

    /// <summary>All vectors that are parameters: norms, sinks, choice biases.</summary>
    public IEnumerable<float[]> Vectors => Layers.SelectMany(layer => layer.Vectors).Append(FinalNorm);

    /// <summary>Scales of an fp8 cache.</summary>
    public IEnumerable<float[]> CacheScales => Layers.SelectMany(layer => layer.CacheScales.Vectors);

    /// <summary>Elements of a matrix and its bias.</summary>
    public static long ElementsOf(WeightSource source)
    {
        long count = source.Bias?.Length ?? 0;
        foreach (WeightMatrix part in source.Parts.Span) count += (long)part.Rows * part.Columns;
        return count;
    }

    /// <summary>Bytes of a matrix in the checkpoint with its scales, its bias as f32.</summary>
    public static long BytesOf(in WeightSource source)
    {
        long bytes = (source.Bias?.Length ?? 0) * (long)sizeof(float);
        foreach (WeightMatrix part in source.Parts.Span)
        {
            long elements = (long)part.Rows * part.Columns;
            bytes += part.DType == DType.F4E2M1 ? (elements + 1) / 2 : elements * part.DType.ByteSize();
            if (part.Scales is { } scales) bytes += Blocks(part.Rows, scales.BlockRows) * Blocks(part.Columns, scales.BlockColumns) * scales.DType.ByteSize();
        }

        return bytes;

        static long Blocks(int length, int size) => ((long)length + size - 1) / size;
    }
}

/// <summary>Tensors of one layer. Post norms are null unless the layer has sandwich norms.</summary>
internal sealed record DecoderLayerSources(
    AttentionSources Attention, MlpSources Mlp, float[] AttentionNorm, float[]? PostAttentionNorm, float[] MlpNorm, float[]? PostMlpNorm,
    CacheScaleSources CacheScales)
{
    public IEnumerable<float[]> Vectors
    {
        get
        {
            yield return AttentionNorm;
            if (PostAttentionNorm is not null) yield return PostAttentionNorm;
            foreach (float[] vector in Attention.Vectors) yield return vector;
            yield return MlpNorm;
            foreach (float[] vector in Mlp.Vectors) yield return vector;
            if (PostMlpNorm is not null) yield return PostMlpNorm;
        }
    }
}

/// <summary>Tensors of one layer's attention.</summary>
internal abstract record AttentionSources
{
    /// <summary>Weights of the checkpoint, once each.</summary>
    public abstract IEnumerable<WeightSource> Matrices { get; }

    /// <summary>Weights that are packed a second time in another form.</summary>
    public virtual IEnumerable<WeightSource> SecondCopies => [];

    public abstract IEnumerable<float[]> Vectors { get; }
}
