using System.Buffers;
using Rocm.Inference.Devices.Cpu;
using Rocm.Inference.Sampling;

namespace Rocm.Inference.Devices.Hip;

/// <summary>
/// Logits to token ids. The rows of logits are downloaded and sampled by the CPU's code, so that ids are the same: right, but it reads back the
/// logits where only ids are needed.
/// </summary>
internal sealed class HipSamplingKernels : ISamplingKernels
{
    public void Sample(DeviceContext context, TensorView logits, SamplingBatch batch)
    {
        if (logits.Rank != 2 || logits.DType != DType.F32 || logits.Dim(0) < batch.NumRows)
            throw new ArgumentException($"Expected f32 logits of at least {batch.NumRows} rows, found {logits}.", nameof(logits));
        int vocabSize = checked((int)logits.Dim(1));
        float[] rented = ArrayPool<float>.Shared.Rent(2 * vocabSize);
        try
        {
            Span<float> row = rented.AsSpan(0, vocabSize);
            for (int i = 0; i < batch.NumRows; i++)
            {
                context.Download(logits.Slice(0, i, 1), row);
                CpuSamplingKernels.SampleRow(row, rented.AsSpan(vocabSize, vocabSize), batch, i);
            }
        }
        finally
        {
            ArrayPool<float>.Shared.Return(rented);
        }
    }
}
