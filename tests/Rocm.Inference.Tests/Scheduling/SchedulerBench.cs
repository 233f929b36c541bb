using Rocm.Inference.KvCache;
using Rocm.Inference.Scheduling;
using Xunit;

namespace Rocm.Inference.Tests.Scheduling;

/// <summary>A scheduler over a small cache and the moves that its tests are made of; every move checks integrity.</summary>
internal sealed class SchedulerBench
{
    private int _nextToken = 1_000_000;

    public SchedulerBench(SchedulerOptions options, int numBlocks = 1001, params KvCacheGroup[] groups)
    {
        if (groups.Length == 0) groups = [new KvCacheGroup(0, 4)];
        Scheduler = new Scheduler(options, new KvCacheManager(numBlocks, groups, new BlockHash(1, 2, 3, 4)));
    }

    public Scheduler Scheduler { get; }

    public BlockPool Pool => Scheduler.Cache.Pool;

    /// <summary>Adds a request whose prompt no other one shares.</summary>
    public Request Add(string id, int promptLen, int maxNewTokens = 100, int priority = 0)
    {
        int[] prompt = [.. Enumerable.Range(_nextToken, promptLen)];
        _nextToken += promptLen;
        return Add(new Request(id, prompt, maxNewTokens) { Priority = priority });
    }

    public Request Add(Request request)
    {
        Scheduler.Add(request);
        Scheduler.CheckIntegrity();
        return request;
    }

    public ScheduledStep Schedule()
    {
        ScheduledStep step = Scheduler.Schedule();
        Scheduler.CheckIntegrity();
        return step;
    }

    /// <summary>Completes a step; sampled tokens are new ones, and requests end only by their length.</summary>
    public void Complete(ScheduledStep step, params Request[] ending)
    {
        if (step.IsEmpty) return;
        var tokens = new int[step.Rows.Length];
        var ends = new bool[step.Rows.Length];
        for (int i = 0; i < tokens.Length; i++)
        {
            tokens[i] = _nextToken++;
            ends[i] = ending.Contains(step.Rows[i].Request);
        }

        Scheduler.Complete(step, tokens, ends);
        Scheduler.CheckIntegrity();
    }

    /// <summary>One whole step; its rows as "id:prefix+query", with * where a token is sampled.</summary>
    public string Step(params Request[] ending)
    {
        ScheduledStep step = Schedule();
        string rows = Describe(step);
        Complete(step, ending);
        return rows;
    }

    public static string Describe(ScheduledStep step)
    {
        var rows = new List<string>();
        foreach (ScheduledRow row in step.Rows) rows.Add($"{row.Request.Id}:{row.PrefixLen}+{row.QueryLen}{(row.SamplesToken ? "*" : "")}");
        return string.Join(' ', rows);
    }

    public void AssertAllReleased()
    {
        Assert.False(Scheduler.HasWork);
        Assert.Equal(Pool.NumUsableBlocks, Pool.NumFreeBlocks);
        Scheduler.CheckIntegrity();
    }
}
