using Rocm.Inference.Batching;
using Rocm.Inference.KvCache;
using Rocm.Inference.KvCache.Storage;
using Rocm.Inference.Models;
using Rocm.Inference.Scheduling;

namespace Rocm.Inference.TestKit;

/// <summary>
/// A loaded model under the real scheduler, block pool and batch builder, decoding greedily: for tests of what batching, chunking, preemption, cache
/// hits and windows that give back blocks do to the numbers. Keeps every row of logits that was computed.
/// </summary>
internal sealed class ScheduledModel : IDisposable
{
    private readonly IDevice _device;
    private readonly DecoderModel _model;
    private readonly DeviceContext _context;
    private readonly KvCacheStorage _storage;
    private readonly ForwardBatchBuilder _builder;
    private readonly IAttentionExecutor[] _executors;
    private readonly DeviceBuffer _logits;
    private readonly Dictionary<(string Request, int SeqLen), float[]> _rows = [];

    /// <param name="device">Where it runs.</param>
    /// <param name="folder">A model folder.</param>
    /// <param name="options">Limits of a step; the model's length is the longest sequence.</param>
    /// <param name="spareBlocks">Blocks beyond those that one request of full length needs.</param>
    /// <param name="blockSize">Tokens in a block.</param>
    /// <param name="backend">The attention; null for the first of the model's kind.</param>
    public ScheduledModel(
        IDevice device, string folder, SchedulerOptions options, int spareBlocks, int blockSize, IAttentionBackend? backend = null)
    {
        _device = device;
        var limits = new BatchLimits(options.MaxNumBatchedTokens, options.MaxNumRequests, options.MaxModelLen);
        var settings = new ModelRuntimeSettings(options.MaxModelLen, DType.F32);
        using DecoderPlan plan = DecoderPlan.Create(ModelFolder.Open(folder), settings, device.ActivationDType, ParallelContext.Single);
        _model = DecoderModel.Load(plan, device, progress: null, CancellationToken.None);
        IReadOnlyList<LayerGroup> groups = _model.Groups.Groups;
        KvCacheGroup[] cacheGroups = [.. groups.Select(group => new KvCacheGroup(group.Index, blockSize, group.Window))];
        int numBlocks = 1 + spareBlocks + (int)cacheGroups.Sum(group => (long)group.PeakBlocks(options.MaxModelLen, options.MaxStepTokens));
        Scheduler = new Scheduler(options, new KvCacheManager(numBlocks, cacheGroups));
        _storage = KvCacheStorage.Allocate(device, groups[0].Spec, blockSize, _model.Groups.LayersPerBlock, numBlocks);
        backend ??= TestBackends.FirstOf(groups[0].Spec.Kind);
        KvCacheLayout layout = backend.GetKvCacheLayout(groups[0].Spec);
        _executors = [.. groups.Select(group => backend.CreateExecutor(group.Spec, new AttentionResources
        {
            Device = device,
            Limits = limits,
            Layers = [.. group.Layers.Select((layer, slot) => _model.AttentionResources(layer, _storage.View(group.Spec, layout.Kind, blockSize, slot)))],
        }))];
        _context = device.CreateContext(plan.ScratchBytes(limits, device, groups.Max(group => backend.WorkspaceBytes(group.Spec, device, limits))));
        _builder = new ForwardBatchBuilder(device, cacheGroups, _executors[0].Order, limits, _executors[0].DecodeThreshold);
        _logits = device.Allocate((long)options.MaxNumRequests * _model.VocabSize * sizeof(float));
    }

    public Scheduler Scheduler { get; }

    /// <summary>Sizes that steps of decode rows only take, as a device that replays them wants it; null for their own.</summary>
    public StepBounds? DecodeBounds { get; init; }

    /// <summary>The logits of each request at each length, computed so far.</summary>
    public IReadOnlyDictionary<(string Request, int SeqLen), float[]> Rows => _rows;

    public Request Add(string id, ReadOnlySpan<int> prompt, int maxNewTokens)
    {
        var request = new Request(id, prompt, maxNewTokens);
        Scheduler.Add(request);
        return request;
    }

    /// <summary>Runs steps until nothing is left to do.</summary>
    /// <param name="afterStep">Called after each step with its number.</param>
    public void Run(Action<int>? afterStep = null)
    {
        for (int number = 1; Scheduler.HasWork; number++)
        {
            if (number > 10_000) throw new InvalidOperationException("The requests make no progress.");
            Step();
            Scheduler.CheckIntegrity();
            afterStep?.Invoke(number);
        }
    }

    public void Dispose()
    {
        foreach (IAttentionExecutor executor in _executors) executor.Dispose();
        _logits.Dispose();
        _builder.Dispose();
        _context.Dispose();
        _storage.Dispose();
        _model.Dispose();
    }

    private void Step()
    {
        ScheduledStep step = Scheduler.Schedule();
        if (step.IsEmpty) return;
        bool isDecode = step.MaxQueryLen == 1 && step.Rows.ToArray().All(row => row.PrefixLen > 0);
        ForwardBatch batch = _builder.Build(_context, step, isDecode ? DecodeBounds : null);
        for (int group = 0; group < _executors.Length; group++) _executors[group].Plan(_context, batch, group);
        TensorView logits = _logits.View(DType.F32, batch.NumLogitRows, _model.VocabSize);
        _model.Forward(_context, batch, _executors, logits);
        var tokens = new int[step.Rows.Length];
        int logitRow = 0;
        for (int i = 0; i < tokens.Length; i++)
        {
            ScheduledRow row = step.Rows[i];
            if (!row.SamplesToken) continue;
            var values = new float[_model.VocabSize];
            _context.Download(logits.Slice(0, logitRow++, 1), values.AsSpan());
            tokens[i] = values.Index().MaxBy(entry => entry.Item).Index;
            _rows[(row.Request.Id, row.SeqLen)] = values;
        }

        Scheduler.Complete(step, tokens, new bool[tokens.Length]);
    }
}
