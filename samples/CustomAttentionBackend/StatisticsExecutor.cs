using System.Numerics.Tensors;
using Rocm.Inference;

namespace CustomAttentionBackend;

/// <summary>
/// Causal attention with optional sliding window, from its formula: softmax(scale · q·k) · v for each token and head. Called by the engine's
/// thread only: <see cref="Plan"/> once per step, then <see cref="Run"/> once per layer. Allocates nothing after it was made.
/// </summary>
internal sealed class StatisticsExecutor(AttentionSpec spec, AttentionResources resources, AttentionStatistics statistics) : IAttentionExecutor
{
    private readonly float[] _weights = new float[spec.MaxSeqLen];
    private ForwardBatch? _batch;
    private int _group;

    public BatchOrder Order => BatchOrder.Any;

    // Computes on the host: nothing that a device could replay.
    public GraphSupport Graphs => GraphSupport.Never;

    public void Plan(DeviceContext context, ForwardBatch batch, int group)
    {
        _batch = batch;
        _group = group;
    }

    public void Run(DeviceContext context, int layer, in AttentionInputs inputs, TensorView output)
    {
        ForwardBatch batch = _batch ?? throw new InvalidOperationException("Run needs a Plan for the step first.");
        AttentionLayerResources resource = resources.Layers[layer];
        var sums = new WeightSums();

        // Rotates q and k, and stores k and v of the new tokens where the batch's slot mapping says: from here on the cache holds all keys.
        AttentionPrimitives.StoreKeyValue(context, resource, batch, _group, inputs);
        for (int row = 0; row < batch.NumRows; row++)
        {
            int firstToken = batch.CuSeqlensQHost[row], endToken = batch.CuSeqlensQHost[row + 1];
            int seqLen = batch.SeqLensHost[row];
            int prefixLen = seqLen - (endToken - firstToken);
            int firstKey = FirstVisible(prefixLen);

            // The blocks of a row are scattered over the cache; this lays its visible keys side by side, as f32 whatever the cache's type.
            long mark = context.Mark();
            TensorView keys = context.Scratch(DType.F32, seqLen - firstKey, spec.NumKvHeads, spec.HeadDim);
            TensorView values = context.Scratch(DType.F32, seqLen - firstKey, spec.NumKvHeads, spec.VHeadDim);
            AttentionPrimitives.GatherKeyValue(context, resource, batch, _group, row, firstKey, keys, values);
            context.Synchronize(); // No wait on the CPU device; elsewhere the host could not look at them before.
            for (int token = firstToken; token < endToken; token++)
            {
                int position = prefixLen + token - firstToken;
                Span<float> weights = _weights.AsSpan(0, position + 1 - FirstVisible(position));
                for (int head = 0; head < spec.NumQoHeads; head++)
                {
                    ReadOnlySpan<float> query = inputs.Query.Slice(0, token, 1).Slice(1, head, 1).AsSpan<float>();
                    Span<float> result = output.Slice(0, token, 1).Slice(1, head, 1).AsSpan<float>();
                    Attend(query, head / spec.GqaRatio, FirstVisible(position) - firstKey, keys, values, weights, result);
                    sums.Add(weights);
                }
            }

            context.Release(mark);
        }

        statistics.Record(resource.LayerIndex, sums);
    }

    public void Dispose() => _batch = null;

    /// <summary>Position of the first key that a query at <paramref name="position"/> sees.</summary>
    private int FirstVisible(int position) => spec.SlidingWindow is { } window ? Math.Max(0, position + 1 - window) : 0;

    /// <summary>One token and head. The weights are those of the keys from index <paramref name="firstKey"/> on.</summary>
    private void Attend(
        ReadOnlySpan<float> query, int kvHead, int firstKey, TensorView keys, TensorView values, Span<float> weights, Span<float> result)
    {
        ReadOnlySpan<float> key = keys.AsSpan<float>(), value = values.AsSpan<float>();
        for (int i = 0; i < weights.Length; i++)
        {
            int at = (((firstKey + i) * spec.NumKvHeads) + kvHead) * spec.HeadDim;
            weights[i] = spec.SoftmaxScale * TensorPrimitives.Dot(query, key.Slice(at, spec.HeadDim));
        }

        TensorPrimitives.Subtract(weights, TensorPrimitives.Max<float>(weights), weights);
        TensorPrimitives.Exp(weights, weights);
        TensorPrimitives.Divide(weights, TensorPrimitives.Sum<float>(weights), weights);

        result.Clear();
        for (int i = 0; i < weights.Length; i++)
        {
            int at = (((firstKey + i) * spec.NumKvHeads) + kvHead) * spec.VHeadDim;
            TensorPrimitives.MultiplyAdd(value.Slice(at, spec.VHeadDim), weights[i], result, result);
        }
    }
}
