using Rocm.Inference.Batching;
using Rocm.Inference.Devices.Cpu;
using Rocm.Inference.Scheduling;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Golden;

/// <summary>
/// Every family and backend under the real scheduler: batched, in chunks, preempted, from the prefix cache, with windows that give back blocks. A request's
/// greedy ids must be the golden ones; its logits the bits that it gets alone where a backend has one path, or where requests are only batched, and else
/// the same but for rounding.
/// </summary>
public sealed class GoldenSchedulingTests : IDisposable
{
    /// <summary>
    /// By how much a logit may differ between two paths of one backend: twice what <see cref="GoldenForwardTests"/> accepts of each. Their sums have other
    /// orders, and latent attention multiplies by W_UK before or after it sums over a head.
    /// </summary>
    private const double Tolerance = 4e-5;

    private const int BlockSize = 4;
    private readonly string _folder = Directory.CreateTempSubdirectory("golden-").FullName;
    private readonly CpuDevice _device = new(new CpuDeviceOptions { NumThreads = 1 });

    public static TheoryData<string, string> Sparse => GoldenBackends.Sparse;

    public static TheoryData<string, string> Varied => GoldenBackends.VariedPairs;

    public void Dispose()
    {
        _device.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Theory]
    [MemberData(nameof(Sparse))]
    public void Requests_in_a_crowd_get_what_they_get_alone(string name, string backend)
    {
        GoldenCase golden = Write(name);
        (string Id, int[] Prompt)[] requests =
        [
            ("golden", golden.Prompt), ("tail", golden.Prompt[9..]), ("one", golden.Prompt[..1]), ("reversed", [.. golden.Prompt.Reverse()]),
            ("again", golden.Prompt), ("prefix", golden.Prompt[..^5]),
        ];
        var options = new SchedulerOptions { MaxModelLen = golden.SessionLength, MaxNumBatchedTokens = 13, MaxNumRequests = 4, ReserveFullPrompt = false };

        using var crowd = new ScheduledModel(_device, _folder, options, spareBlocks: 14, BlockSize, TestBackends.Named(backend));
        Request[] first = [.. requests[..4].Select(request => crowd.Add(request.Id, request.Prompt, golden.Greedy.Length))];
        var later = new List<Request>();
        crowd.Run(step =>
        {
            if (step == 12) later.AddRange(requests[4..].Select(request => crowd.Add(request.Id, request.Prompt, golden.Greedy.Length)));
        });
        crowd.Add("warm", golden.Prompt, golden.Greedy.Length);
        crowd.Run();
        Request hit = crowd.Add("hit", golden.Prompt, golden.Greedy.Length);
        crowd.Run();

        Assert.Equal(golden.Greedy, first[0].GeneratedTokens.ToArray());
        Assert.Equal(golden.Greedy, later[0].GeneratedTokens.ToArray());
        Assert.True(crowd.Scheduler.NumPreemptions > 0, "nobody was preempted: the test is too easy");
        Assert.True(hit.NumCachedTokens > 0, "nothing was hit: the test is too easy");
        bool exact = GoldenBackends.HasOnePath(backend);
        Assert.All(requests.Append((Id: "hit", golden.Prompt)), request => AssertAlone(crowd, request.Id, request.Prompt, golden, backend, exact));
    }

    [Theory]
    [MemberData(nameof(Varied))]
    public void Requests_that_are_only_batched_get_the_bits_that_they_get_alone_also_among_rows_of_padding(string name, string backend)
    {
        GoldenCase golden = Write(name);
        var options = new SchedulerOptions { MaxModelLen = golden.SessionLength, MaxNumBatchedTokens = 256, MaxNumRequests = 6, EnablePrefixCaching = false };
        using var batch = new ScheduledModel(_device, _folder, options, spareBlocks: 256, BlockSize, TestBackends.Named(backend))
        {
            DecodeBounds = new StepBounds(options.MaxNumRequests, golden.SessionLength),
        };
        (string Id, int[] Prompt)[] requests = [("golden", golden.Prompt), ("tail", golden.Prompt[9..]), ("one", golden.Prompt[..1])];
        Request[] first = [.. requests.Select(request => batch.Add(request.Id, request.Prompt, golden.Greedy.Length))];

        // A prompt among rows that decode.
        int[] reversed = [.. golden.Prompt.Reverse()];
        batch.Run(step =>
        {
            if (step == 5) batch.Add("reversed", reversed, golden.Greedy.Length);
        });

        Assert.Equal(golden.Greedy, first[0].GeneratedTokens.ToArray());
        Assert.Equal(0, batch.Scheduler.NumPreemptions);
        Assert.All(requests.Append((Id: "reversed", Prompt: reversed)), request => AssertAlone(batch, request.Id, request.Prompt, golden, backend, exact: true));
    }

    private GoldenCase Write(string name)
    {
        GoldenCheckpoint checkpoint = GoldenCheckpoint.Load(name);
        checkpoint.WriteTo(_folder, GoldenWeights.BFloat16);
        return checkpoint.CasesWith(GoldenWeights.BFloat16).Last();
    }

    private void AssertAlone(ScheduledModel crowd, string id, int[] prompt, GoldenCase golden, string backend, bool exact)
    {
        var options = new SchedulerOptions { MaxModelLen = golden.SessionLength, MaxNumBatchedTokens = 256, MaxNumRequests = 1, EnablePrefixCaching = false };
        using var alone = new ScheduledModel(_device, _folder, options, spareBlocks: 0, BlockSize, TestBackends.Named(backend));
        alone.Add(id, prompt, golden.Greedy.Length);
        alone.Run();

        Assert.Equal(golden.Greedy.Length, alone.Rows.Count);
        foreach (((string, int SeqLen) key, float[] expected) in alone.Rows)
        {
            Assert.True(crowd.Rows.TryGetValue(key, out float[]? actual), $"{id}: no logits at length {key.SeqLen}");
            if (exact) Assert.Equal(expected, actual);
            double error = expected.Zip(actual, (e, a) => (double)Math.Abs(e - a)).Max();
            Assert.True(error <= Tolerance, $"{id}: logits at length {key.SeqLen} differ by {error:g3}");
        }
    }
}
