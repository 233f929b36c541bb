using Rocm.Inference.Devices;
using Rocm.Inference.Devices.Hip;
using Rocm.Inference.Sampling;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Hip.Tests;

/// <summary>Sampling that is recorded with a step.</summary>
public sealed class HipSamplingTests
{
    private const int Vocabulary = 100;

    [Theory]
    [InlineData(EmulatedGpu.Gfx942)]
    [InlineData(EmulatedGpu.Gfx1100)]
    public void A_recording_samples_batches_of_other_parameters_and_fewer_rows(string target)
    {
        using HipGpu gpu = HipSessions.Open(target);
        using DeviceContext context = gpu.CreateContext(1 << 12);
        using DeviceBuffer memory = gpu.Allocate(4 * Vocabulary * sizeof(float));
        TensorView logits = memory.View(DType.F32, 4, Vocabulary);
        var random = new TestRandom(Environment.TickCount);
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {random.Seed}");
        var batch = new SamplingBatch();
        Fill(batch, rows: 4, seed: 1);
        context.Upload<float>(random.Floats(4 * Vocabulary), logits);
        gpu.SamplingKernels.Sample(context, logits, batch);
        Assert.Equal(3, gpu.SamplingKernels.RecordingKey(batch));
        using IRecordedWork recorded = context.Record((gpu, context, logits, batch), static work => work.gpu.SamplingKernels.Enqueue(work.context, work.logits, work.batch));
        foreach (int rows in (int[])[4, 2, 3, 1])
        {
            context.Upload<float>(random.Floats(4 * Vocabulary), logits);
            Fill(batch, rows, seed: 10 * rows);
            gpu.SamplingKernels.Sample(context, logits, batch);
            int[] ids = batch.SampledIds[..rows];
            float[] logprobs = batch.SampledLogprobs[..rows];
            TokenLogprobEntry[] top = batch.TopLogprobs[..(3 * rows)];
            Fill(batch, rows, seed: 10 * rows);
            batch.PadRows(4);
            context.Replay(recorded, (gpu, context, logits, batch), static work => work.gpu.SamplingKernels.Enqueue(work.context, work.logits, work.batch));
            context.Synchronize();
            gpu.SamplingKernels.Collect(context, batch);
            Assert.Equal(ids, batch.SampledIds[..rows]);
            Assert.Equal(logprobs, batch.SampledLogprobs[..rows]);
            Assert.Equal(top, batch.TopLogprobs[..(3 * rows)]);
        }
    }

    [Fact]
    public void Batches_with_penalties_or_biases_are_not_recorded()
    {
        using HipGpu gpu = HipSessions.Open(EmulatedGpu.Gfx942);
        var batch = new SamplingBatch();
        batch.Reset(1, 0);
        Assert.Equal(0, gpu.SamplingKernels.RecordingKey(batch));
        batch.AddBias(new TokenBias(1, 1));
        Assert.Null(gpu.SamplingKernels.RecordingKey(batch));
        batch.Reset(1, 0);
        batch.AddHistory(new TokenCount(1, 1));
        Assert.Null(gpu.SamplingKernels.RecordingKey(batch));
    }

    private static void Fill(SamplingBatch batch, int rows, int seed)
    {
        batch.Reset(rows, maxTopLogprobs: 3);
        for (int i = 0; i < rows; i++)
            batch.Rows[i] = new SamplingRow { Temperature = 0.5f * i, TopP = 0.9f, TopK = 20 * i, RepetitionPenalty = 1, NumLogprobs = i, Seed = (ulong)(seed + i), Position = 7 };
    }
}
