using Rocm.Inference.Sampling;

namespace Rocm.Inference.Devices;

/// <summary>Logits to token ids on the device. Randomness is Philox keyed by seed and position, so every device draws the same.</summary>
internal interface ISamplingKernels
{
    /// <summary>
    /// Applies bias, penalties, temperature, top-k, top-p and min-p of each row and draws one id per row; asked-for log-probabilities too.
    /// The logits are overwritten.
    /// </summary>
    /// <param name="context">Where it runs.</param>
    /// <param name="logits">[R, vocabulary] f32.</param>
    /// <param name="batch">Parameters in, ids and log-probabilities out.</param>
    void Sample(DeviceContext context, TensorView logits, SamplingBatch batch);

    /// <summary>
    /// What of a batch decides which kernels run, and on how much: recorded work fits every batch of an equal key. Null for a batch that is not to be
    /// recorded: <see cref="Sample"/> takes it.
    /// </summary>
    long? RecordingKey(SamplingBatch batch) => null;

    /// <summary>
    /// The part of <see cref="Sample"/> before the wait, for a batch with a <see cref="RecordingKey"/>: uploads, kernels, and copies of the results. Rows of the
    /// logits beyond the batch's are sampled greedily and not looked at.
    /// </summary>
    void Enqueue(DeviceContext context, TensorView logits, SamplingBatch batch) => throw new NotSupportedException($"{context.Device.Name} does not record.");

    /// <summary>The part after it: fills the batch's results. Nothing else was given to the context since <see cref="Enqueue"/>.</summary>
    void Collect(DeviceContext context, SamplingBatch batch) => throw new NotSupportedException($"{context.Device.Name} does not record.");
}
