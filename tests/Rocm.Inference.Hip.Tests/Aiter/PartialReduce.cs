using Rocm.Inference.TestKit;

namespace Rocm.Inference.Hip.Tests.Aiter;

/// <summary>The reduce that follows a persistent kernel, from its contract, in double precision.</summary>
internal static class PartialReduce
{
    /// <summary>Writes the rows of the sequences that were cut.</summary>
    /// <param name="plan">What was launched.</param>
    /// <param name="partials">[rows, heads, dim].</param>
    /// <param name="lse">[rows, heads].</param>
    /// <param name="heads">Query heads.</param>
    /// <param name="dim">Of values.</param>
    /// <param name="output">[tokens, heads, dim].</param>
    internal static void Apply(AiterWorkPlan plan, float[] partials, float[] lse, int heads, int dim, float[] output)
    {
        for (int group = 0; group < plan.ReduceCount; group++)
        {
            int first = plan.ReduceFinal[2 * group], end = plan.ReduceFinal[(2 * group) + 1];
            int[] parts = plan.ReducePartial[plan.ReduceOffsets[group]..plan.ReduceOffsets[group + 1]];
            for (int row = first; row < end; row++)
            {
                for (int h = 0; h < heads; h++)
                {
                    int[] at = [.. parts.Select(part => ((part + row - first) * heads) + h)];
                    double max = at.Max(i => (double)lse[i]), sum = at.Sum(i => Math.Exp(lse[i] - max));
                    for (int d = 0; d < dim; d++)
                        output[(((row * heads) + h) * dim) + d] = (float)at.Sum(i => Math.Exp(lse[i] - max) / sum * partials[(i * dim) + d]);
                }
            }
        }
    }
}
