using Rocm.Inference.Devices.Cpu;
using Rocm.Inference.Scheduling;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Golden;

/// <summary>
/// Every dense family under the real scheduler: batched, in chunks, preempted, from the prefix cache, with windows that give back blocks. A request's
/// logits must be the bits that it gets alone, and its greedy ids the golden ones.
/// </summary>
public sealed class GoldenSchedulingTests : IDisposable
{
    private const int BlockSize = 4;
    private readonly string _folder = Directory.CreateTempSubdirectory("golden-").FullName;
    private readonly CpuDevice _device = new(new CpuDeviceOptions { NumThreads = 1 });

    public static TheoryData<string> Supported => GoldenPlanTests.Dense;

    public void Dispose()
    {
        _device.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Theory]
    [MemberData(nameof(Supported))]
    public void Requests_in_a_crowd_get_the_bits_that_they_get_alone(string name)
    {
        GoldenCheckpoint checkpoint = GoldenCheckpoint.Load(name);
        checkpoint.WriteTo(_folder, GoldenWeights.BFloat16);
        GoldenCase golden = checkpoint.CasesWith(GoldenWeights.BFloat16).Last();
        (string Id, int[] Prompt)[] requests =
        [
            ("golden", golden.Prompt), ("tail", golden.Prompt[9..]), ("one", golden.Prompt[..1]), ("reversed", [.. golden.Prompt.Reverse()]),
            ("again", golden.Prompt), ("prefix", golden.Prompt[..^5]),
        ];
        var options = new SchedulerOptions { MaxModelLen = golden.SessionLength, MaxNumBatchedTokens = 13, MaxNumRequests = 4, ReserveFullPrompt = false };

        using var crowd = new ScheduledModel(_device, _folder, options, spareBlocks: 14, BlockSize);
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
        Assert.All(requests.Append((Id: "hit", golden.Prompt)), request => AssertAlone(crowd, request.Id, request.Prompt, golden));
    }

    private void AssertAlone(ScheduledModel crowd, string id, int[] prompt, GoldenCase golden)
    {
        var options = new SchedulerOptions { MaxModelLen = golden.SessionLength, MaxNumBatchedTokens = 256, MaxNumRequests = 1, EnablePrefixCaching = false };
        using var alone = new ScheduledModel(_device, _folder, options, spareBlocks: 0, BlockSize);
        alone.Add(id, prompt, golden.Greedy.Length);
        alone.Run();

        Assert.Equal(golden.Greedy.Length, alone.Rows.Count);
        Assert.All(alone.Rows, row => Assert.Equal(row.Value, crowd.Rows[row.Key]));
    }
}
