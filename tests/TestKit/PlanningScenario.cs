using Rocm.Inference.Batching;
using Rocm.Inference.KvCache;
using Rocm.Inference.KvCache.Storage;
using Rocm.Inference.Scheduling;

namespace Rocm.Inference.TestKit;

/// <summary>
/// A scheduler with many running requests, the batch builder and a backend's executor: what the host does in a step besides computing, without a model.
/// </summary>
internal sealed class PlanningScenario : IDisposable
{
    private const int BlockSize = 16;
    private readonly Scheduler _scheduler;
    private readonly KvCacheStorage _storage;
    private readonly DeviceContext _context;
    private readonly ForwardBatchBuilder _builder;
    private readonly IAttentionExecutor _executor;
    private readonly int _promptLen;
    private ScheduledStep _step;
    private int _nextToken = 1;

    /// <param name="device">Where the metadata goes.</param>
    /// <param name="backend">Whose plan.</param>
    /// <param name="spec">A spec that the backend supports.</param>
    /// <param name="rows">Running requests.</param>
    /// <param name="promptLen">Tokens of each prompt.</param>
    public PlanningScenario(IDevice device, IAttentionBackend backend, AttentionSpec spec, int rows, int promptLen)
    {
        _promptLen = promptLen;
        int length = promptLen + 128;
        var limits = new BatchLimits(8192, rows, length);
        KvCacheGroup[] groups = [new(0, BlockSize, spec.SlidingWindow)];
        var options = new SchedulerOptions { MaxNumBatchedTokens = limits.MaxNumTokens, MaxNumRequests = rows, MaxModelLen = length, EnablePrefixCaching = false, LongPrefillTokenThreshold = 500 };
        _scheduler = new Scheduler(options, new KvCacheManager(2 + (rows * ((length / BlockSize) + 1)), groups));
        _storage = KvCacheStorage.Allocate(device, spec, BlockSize, 1, 2);
        _context = device.CreateContext(64);
        _executor = backend.CreateExecutor(spec, new AttentionResources
        {
            Device = device,
            Limits = limits,
            Layers = [new AttentionLayerResources { LayerIndex = 0, Cache = _storage.View(spec, backend.GetKvCacheLayout(spec).Kind, BlockSize, 0) }],
        });
        _builder = new ForwardBatchBuilder(device, groups, _executor.Order, limits, _executor.DecodeThreshold);
        for (int i = 0; i < rows; i++) Add(i);
        do Next();
        while (_step!.MaxQueryLen > 1);
    }

    /// <summary>The planned step.</summary>
    public ScheduledStep Step => _step;

    /// <summary>The batch of the last <see cref="BuildAndPlan"/>.</summary>
    public ForwardBatch? Batch { get; private set; }

    /// <summary>
    /// Goes to a step in which some requests have just begun: most rows decode, one or more go on with a prompt, some begin.
    /// </summary>
    /// <param name="newcomers">Requests that are replaced by new ones.</param>
    public void Mix(int newcomers)
    {
        for (int i = 0; i < newcomers; i++) _scheduler.Abort(_step.Rows[i].Request);
        _scheduler.Complete(_step, Tokens(), new bool[_step.Rows.Length]);
        for (int i = 0; i < newcomers; i++) Add(10_000 + i);
        _step = _scheduler.Schedule();
        Next();
    }

    /// <summary>The host's work before the layers run. May be repeated.</summary>
    public void BuildAndPlan()
    {
        Batch = _builder.Build(_context, _step);
        _executor.Plan(_context, Batch, 0);
    }

    /// <summary>Plans the last batch again.</summary>
    public void PlanOnly() => _executor.Plan(_context, Batch!, 0);

    /// <summary>Ends the step and schedules the next.</summary>
    public void Next()
    {
        if (_step is not null) _scheduler.Complete(_step, Tokens(), new bool[_step.Rows.Length]);
        _step = _scheduler.Schedule();
    }

    public void Dispose()
    {
        _executor.Dispose();
        _builder.Dispose();
        _context.Dispose();
        _storage.Dispose();
    }

    private void Add(int id)
    {
        _scheduler.Add(new Request($"{id}", [.. Enumerable.Range(_nextToken, _promptLen)], 120));
        _nextToken += _promptLen;
    }

    private int[] Tokens() => [.. Enumerable.Repeat(7, _step.Rows.Length)];
}
