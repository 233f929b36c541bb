using Rocm.Inference.KvCache;
using Rocm.Inference.Scheduling;
using Xunit;

namespace Rocm.Inference.Tests.Scheduling;

/// <summary>One seeded run: random groups, pool, options, arrivals, endings, aborts, failed steps and cache resets, down to an empty scheduler.</summary>
internal sealed class SchedulerFuzz
{
    private const int Vocabulary = 50;
    private const int NumRequests = 40;

    private static readonly int[][] BlockSizes = [[4, 4, 4], [4, 4, 4], [2, 4, 8], [4, 6, 3], [3, 3, 6], [1, 1, 2]];

    private readonly Random _random;
    private readonly Scheduler _scheduler;
    private readonly SimulatedCacheDevice _device;
    private readonly int[][] _prefixes;
    private readonly List<Request> _live = [];
    private readonly Dictionary<Request, int> _expectedLength = [];
    private SchedulerFuzzTests.Coverage _coverage;
    private int _numCreated;

    public SchedulerFuzz(int seed)
    {
        _random = new Random(seed);
        int budget = _random.Next(8, 60);
        bool chunked = _random.Next(4) > 0;
        int maxModelLen = chunked ? _random.Next(20, 150) : _random.Next(8, budget + 1);
        var options = new SchedulerOptions
        {
            MaxNumBatchedTokens = budget,
            MaxNumRequests = _random.Next(1, 9),
            MaxModelLen = maxModelLen,
            EnableChunkedPrefill = chunked,
            EnablePrefixCaching = _random.Next(8) > 0,
            LongPrefillTokenThreshold = _random.Next(3) == 0 ? _random.Next(1, 30) : 0,
            ReserveFullPrompt = _random.Next(2) == 0,
            Watermark = _random.Next(3) == 0 ? 0.1 : 0,
            NumLookaheadTokens = _random.Next(4) == 0 ? _random.Next(1, 5) : 0,
        };
        KvCacheGroup[] groups = RandomGroups();
        int numBlocks = 2 + _random.Next(5, 20) + groups.Sum(group => _random.Next(0, 2 + maxModelLen / group.BlockSize));
        _scheduler = new Scheduler(options, new KvCacheManager(numBlocks, groups, new BlockHash(1, 2, 3, (ulong)seed)));
        _device = new SimulatedCacheDevice(_scheduler.Cache, Vocabulary);
        _prefixes = [.. Enumerable.Range(0, 3).Select(_ => RandomTokens(_random.Next(1, maxModelLen)))];
    }

    public SchedulerFuzzTests.Coverage Run()
    {
        while (_numCreated < NumRequests || _scheduler.HasWork)
        {
            Assert.True(_coverage.Steps < 50_000, "Requests do not progress.");
            int action = _random.Next(20);
            if (action < 5 && _numCreated < NumRequests) Add();
            else if (action == 5 && _live.Count > 0 && _random.Next(3) == 0) Abort(_live[_random.Next(_live.Count)]);
            else if (action == 6) Reset();
            else Step();
            _scheduler.CheckIntegrity();
        }

        BlockPool pool = _scheduler.Cache.Pool;
        Assert.Empty(_live);
        Assert.Equal(pool.NumUsableBlocks, pool.NumFreeBlocks);
        Assert.True(_scheduler.Cache.TryResetPrefixCache());
        _scheduler.CheckIntegrity();
        return _coverage with { Preemptions = _scheduler.NumPreemptions };
    }

    private KvCacheGroup[] RandomGroups()
    {
        int[] sizes = BlockSizes[_random.Next(BlockSizes.Length)];
        var groups = new KvCacheGroup[_random.Next(1, 4)];
        for (int i = 0; i < groups.Length; i++) groups[i] = new KvCacheGroup(i, sizes[i], _random.Next(2) == 0 ? null : _random.Next(1, 40));
        return groups;
    }

    private int[] RandomTokens(int count) => [.. Enumerable.Range(0, count).Select(_ => _random.Next(Vocabulary))];

    private void Add()
    {
        // Prompts share prefixes with one another, and continue what earlier requests generated.
        int[] prefix = _prefixes[_random.Next(_prefixes.Length)];
        int[] prompt = [.. prefix[.._random.Next(prefix.Length + 1)], .. RandomTokens(_random.Next(0, 12))];
        if (prompt.Length == 0) prompt = [1];
        if (prompt.Length >= _scheduler.Options.MaxModelLen) prompt = prompt[..(_scheduler.Options.MaxModelLen - 1)];
        var request = new Request($"r{_numCreated++}", prompt, _random.Next(1, 40))
        {
            Priority = _random.Next(4) == 0 ? _random.Next(-1, 3) : 0,
            CacheSalt = _random.Next(6) switch { 0 => "salt", 1 => "other salt", _ => null },
            SkipsCacheReads = _random.Next(10) == 0,
        };
        try
        {
            _scheduler.Add(request);
        }
        catch (KvCacheCapacityException error)
        {
            Assert.True(error.NeededTokens > error.AvailableTokens);
            _coverage = _coverage with { Refused = _coverage.Refused + 1 };
            return;
        }

        _live.Add(request);

        // A third of them end early, as with a stop token.
        _expectedLength[request] = _random.Next(3) == 0 ? _random.Next(prompt.Length + 1, request.MaxTokens + 1) : request.MaxTokens;
    }

    private void Abort(Request request)
    {
        Assert.True(_scheduler.Abort(request));
        _live.Remove(request);
        CheckTokens(request);
        _coverage = _coverage with { Aborts = _coverage.Aborts + 1 };
    }

    private void Reset()
    {
        bool idle = _scheduler.Cache.Pool.NumUsedBlocks == 0;
        Assert.Equal(idle, _scheduler.Cache.TryResetPrefixCache());
        if (idle) _coverage = _coverage with { Resets = _coverage.Resets + 1 };
    }

    private void Step()
    {
        ScheduledStep step = _scheduler.Schedule();
        _scheduler.CheckIntegrity();
        CheckStep(step);
        _coverage = _coverage with { Steps = _coverage.Steps + 1 };
        if (step.IsEmpty) return;

        Request? aborted = _random.Next(25) == 0 ? step.Rows[_random.Next(step.Rows.Length)].Request : null;
        if (aborted is not null)
        {
            Abort(aborted);
            _scheduler.CheckIntegrity();
        }

        if (_random.Next(100) == 0)
        {
            _scheduler.Discard(step);
            _coverage = _coverage with { Discards = _coverage.Discards + 1 };
            foreach (Request request in step.Finished) _live.Remove(request);
            return;
        }

        int[] sampled = _device.Run(step);
        var ends = new bool[sampled.Length];
        for (int i = 0; i < ends.Length; i++)
        {
            Request request = step.Rows[i].Request;
            ends[i] = step.Rows[i].SamplesToken && request.NumTokens + 1 == _expectedLength[request];
        }

        _scheduler.Complete(step, sampled, ends);
        foreach (Request request in step.Finished)
        {
            Assert.True(_live.Remove(request));
            Assert.Equal(_expectedLength[request], request.NumTokens);
            CheckTokens(request);
        }
    }

    private void CheckStep(ScheduledStep step)
    {
        SchedulerOptions options = _scheduler.Options;
        int tokens = 0;
        var seen = new HashSet<Request>();
        foreach (ScheduledRow row in step.Rows)
        {
            tokens += row.QueryLen;
            Assert.True(seen.Add(row.Request) && row.QueryLen > 0 && row.QueryLen <= options.MaxStepTokens);
            Assert.Equal(row.SeqLen == row.Request.NumTokens, row.SamplesToken);
            Assert.Equal(RequestStatus.Running, row.Request.Status);
            for (int group = 0; group < row.Request.Blocks.NumGroups; group++)
            {
                _coverage = _coverage with { Expired = _coverage.Expired + (row.Request.Blocks.Table(group).Contains(0) ? 1 : 0) };
            }
        }

        Assert.True(tokens <= options.MaxNumBatchedTokens && tokens == step.NumTokens);
        Assert.False(step.IsEmpty && _scheduler.HasWork, "There is work, but the step is empty.");
        foreach (Request request in step.Preempted) Assert.DoesNotContain(request, seen);
        foreach (Request request in step.Admitted)
        {
            Assert.Contains(request, seen);
            Assert.True(!request.SkipsCacheReads || request.NumCachedTokens == 0);
            if (request.NumPreemptions == 0) _coverage = _coverage with { HitTokens = _coverage.HitTokens + request.NumCachedTokens };
        }
    }

    /// <summary>Every generated token is the one that follows from the tokens before it.</summary>
    private void CheckTokens(Request request)
    {
        for (int length = request.PromptLen; length < request.NumTokens; length++)
        {
            Assert.Equal(_device.NextToken(request.Tokens[..length], request.CacheSalt), request.Tokens[length]);
        }
    }
}
