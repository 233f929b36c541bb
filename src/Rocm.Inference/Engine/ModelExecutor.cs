using Rocm.Inference.Batching;
using Rocm.Inference.KvCache;
using Rocm.Inference.KvCache.Storage;
using Rocm.Inference.Models;
using Rocm.Inference.Sampling;
using Rocm.Inference.Scheduling;

namespace Rocm.Inference.Engine;

/// <summary>
/// A decoder on one device: turns a scheduled step into a batch, lets the attention executors plan it, runs the layers and samples. Owns everything
/// it runs on, and disposes it in the reverse order of creation.
/// </summary>
internal sealed class ModelExecutor : IModelExecutor
{
    private readonly DecoderModel _model;
    private readonly KvCacheStorage _storage;
    private readonly DeviceContext _context;
    private readonly ForwardBatchBuilder _builder;
    private readonly IAttentionExecutor[] _attention;
    private readonly IDisposable? _deviceOwnership;
    private bool _isDisposed;

    /// <summary>Takes ownership of all that is disposable.</summary>
    public ModelExecutor(
        ModelFacts facts, IReadOnlyList<KvCacheGroup> groups, DecoderModel model, KvCacheStorage storage, DeviceContext context,
        ForwardBatchBuilder builder, IAttentionExecutor[] attention, IDisposable? deviceOwnership)
    {
        Facts = facts;
        Groups = groups;
        _model = model;
        _storage = storage;
        _context = context;
        _builder = builder;
        _attention = attention;
        _deviceOwnership = deviceOwnership;
    }

    public ModelFacts Facts { get; }

    public IReadOnlyList<KvCacheGroup> Groups { get; }

    public int NumBlocks => _storage.NumBlocks;

    public void Execute(ScheduledStep step, SamplingBatch sampling)
    {
        ForwardBatch batch = _builder.Build(_context, step);
        for (int group = 0; group < _attention.Length; group++) _attention[group].Plan(_context, batch, group);
        long mark = _context.Mark();
        TensorView logits = batch.NumLogitRows == 0 ? default : _context.Scratch(DType.F32, batch.NumLogitRows, Facts.VocabSize);
        _model.Forward(_context, batch, _attention, logits);
        if (batch.NumLogitRows > 0) _context.Device.SamplingKernels.Sample(_context, logits, sampling);
        _context.Synchronize();
        _context.Release(mark);
    }

    public void Dispose()
    {
        if (_isDisposed) return;
        _isDisposed = true;
        foreach (IAttentionExecutor executor in _attention) executor.Dispose();
        _builder.Dispose();
        _context.Dispose();
        _storage.Dispose();
        _model.Dispose();
        _deviceOwnership?.Dispose();
    }
}
