using Rocm.Inference.Attention.Backends;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Conformance.Attention.Backends;

/// <summary>One run of a backend: what differs from the usual.</summary>
internal sealed record BackendRun(string Name)
{
    /// <summary>Tokens of context that are gathered at once.</summary>
    public int WorkspaceTokens { get; init; } = 32;

    /// <summary>Tokens of a block; null for the smallest that fits.</summary>
    public int? BlockSize { get; init; }

    /// <summary>Order of the blocks.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>Bound of the sequence lengths that the step claims.</summary>
    public int MaxSeqLenBound { get; init; }

    /// <summary>Most new tokens of a step.</summary>
    public int MaxNumTokens { get; init; } = 512;
}

/// <summary>Runs the steps of a test through a backend and compares every token with the oracle.</summary>
internal static class BackendRuns
{
    public static readonly string[] MhaNames = [.. LibraryBackends.Create().Where(b => b.Kind == AttentionKind.Mha).Select(b => b.Name)];

    public static readonly string[] MlaNames = [.. LibraryBackends.Create().Where(b => b.Kind == AttentionKind.Mla).Select(b => b.Name)];

    public static BackendHarness Create(IDevice device, AttentionRequests requests, BackendRun run)
    {
        IAttentionBackend backend = LibraryBackends.Create(new ContextWorkspace(run.WorkspaceTokens)).Single(b => b.Name == run.Name);
        int longest = Math.Max(run.MaxSeqLenBound, requests.Lengths.Max());
        var limits = new BatchLimits(Math.Min(run.MaxNumTokens, requests.Lengths.Sum()), requests.Lengths.Count, longest);
        return new BackendHarness(device, backend, requests, run.BlockSize ?? BackendCells.BlockSize(requests.Spec.KvDType), limits, run.Seed)
        {
            MaxSeqLenBound = run.MaxSeqLenBound,
        };
    }

    /// <returns>The outputs of all rows of all steps, in the order given.</returns>
    public static List<float[]> Check(IDevice device, AttentionRequests requests, BackendRun run, params (int Request, int QueryLen)[][] steps)
    {
        using BackendHarness harness = Create(device, requests, run);
        var outputs = new List<float[]>();
        foreach ((int Request, int QueryLen)[] step in steps)
        {
            int[] before = [.. step.Select(row => harness.Length(row.Request))];
            float[][] actual = harness.Step(step);
            for (int i = 0; i < step.Length; i++)
            {
                Tolerance.F32.Check(
                    requests.Expected(step[i].Request, before[i], step[i].QueryLen), actual[i],
                    $"{run}, {requests.Spec}, request {step[i].Request}, {before[i]}+{step[i].QueryLen}");
            }

            outputs.AddRange(actual);
        }

        return outputs;
    }

    /// <summary>Fails unless leaving a feature out of the spec would be seen: the oracle's answers differ by far more than the tolerance.</summary>
    public static void Matters(AttentionSpec with, AttentionSpec without, int length, int seed)
    {
        double[] a = new AttentionRequests(with, [length], seed).Expected(0, 0, length), b = new AttentionRequests(without, [length], seed).Expected(0, 0, length);
        double worst = a.Zip(b, (x, y) => Math.Abs(x - y)).Max();
        if (worst < 0.01) throw new InvalidOperationException($"The case cannot tell whether the feature is honoured: the largest difference is {worst:E1}.");
    }

    public static void SameBits(List<float[]> expected, List<float[]> actual, string what)
    {
        for (int row = 0; row < expected.Count; row++)
        {
            if (!System.Runtime.InteropServices.MemoryMarshal.AsBytes<float>(expected[row]).SequenceEqual(System.Runtime.InteropServices.MemoryMarshal.AsBytes<float>(actual[row])))
                throw new InvalidOperationException($"{what}: row {row} has other bits.");
        }
    }
}
