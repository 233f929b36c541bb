using Rocm.Inference.Sampling;

namespace Rocm.Inference.Devices.Cpu;

/// <content>The most likely tokens.</content>
internal sealed partial class CpuSamplingKernels
{
    /// <summary>
    /// Fills <paramref name="top"/> with the largest logits, largest first, lower ids first among equals, as log-probabilities.
    /// </summary>
    private static void TakeTop(ReadOnlySpan<float> logits, double logSumExp, Span<TokenLogprobEntry> top)
    {
        if (top.IsEmpty) return;

        // A sorted list of the best so far. Nearly every logit fails the one comparison with the last of them.
        int count = 0;
        for (int id = 0; id < logits.Length; id++)
        {
            float logit = logits[id];
            if (count == top.Length)
            {
                if (!(logit > top[^1].Logprob)) continue;
                count--;
            }

            int place = count++;
            for (; place > 0 && top[place - 1].Logprob < logit; place--) top[place] = top[place - 1];
            top[place] = new TokenLogprobEntry(id, logit);
        }

        foreach (ref TokenLogprobEntry entry in top) entry = entry with { Logprob = (float)(entry.Logprob - logSumExp) };
    }
}
