namespace Rocm.Inference.Sampling;

/// <summary>The largest logit of a row tells whether a token can be chosen from it.</summary>
internal static class FiniteLogits
{
    /// <summary>Checks a row by its largest logit; NaN where any is.</summary>
    /// <exception cref="RocmInferenceException">All tokens are forbidden, or the logits are not finite.</exception>
    public static void Check(float max)
    {
        if (float.IsFinite(max)) return;
        throw new RocmInferenceException(
            float.IsNegativeInfinity(max)
                ? "All tokens are forbidden: every logit is negative infinity. Remove bans from the logit bias."
                : $"The model's logits are not finite (found {max}). Its weights or its KV cache are damaged, or the data type overflows.");
    }
}
