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
}
