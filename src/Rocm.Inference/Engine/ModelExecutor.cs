using Rocm.Inference.Batching;
using Rocm.Inference.Devices;
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
internal sealed class ModelExecutor : IModelExecutor, IRecordableStep
{
    private readonly DecoderModel _model;
    private readonly KvCacheStorage _storage;
    private readonly DeviceContext _context;
    private readonly ForwardBatchBuilder _builder;
    private readonly IAttentionExecutor[] _attention;
    private readonly StepRecorder? _recorder;
    private readonly IDisposable? _deviceOwnership;

    // The step at hand.
    private ScheduledStep _step = null!;
    private SamplingBatch _sampling = null!;
    private StepBounds? _bounds;
    private bool _samplesInStep;
    private ForwardBatch _batch = null!;
    private TensorView _logits;
    private long _mark;
    private bool _isDisposed;

    /// <summary>Takes ownership of all that is disposable.</summary>
    public ModelExecutor(
        ModelFacts facts, IReadOnlyList<KvCacheGroup> groups, DecoderModel model, KvCacheStorage storage, DeviceContext context,
        ForwardBatchBuilder builder, IAttentionExecutor[] attention, StepRecorder? recorder, IDisposable? deviceOwnership)
    {
        Facts = facts;
        Groups = groups;
        _model = model;
        _storage = storage;
        _context = context;
        _builder = builder;
        _attention = attention;
        _recorder = recorder;
        _deviceOwnership = deviceOwnership;
    }

    public ModelFacts Facts { get; }

    public IReadOnlyList<KvCacheGroup> Groups { get; }

    public int NumBlocks => _storage.NumBlocks;

    public void Execute(ScheduledStep step, SamplingBatch sampling)
    {
        ISamplingKernels sampler = _context.Device.SamplingKernels;
        _step = step;
        _sampling = sampling;
        _bounds = _recorder?.BoundsOf(step);
        long? samplingKey = _bounds is null ? null : sampler.RecordingKey(sampling);
        _samplesInStep = samplingKey is not null;
        _mark = _context.Mark();
        if (_bounds is not { } bounds || !_recorder!.TryRun(new StepKey(bounds, samplingKey), this))
        {
            ((IRecordableStep)this).Prepare();
            ((IRecordableStep)this).Compute();
            ((IRecordableStep)this).Finish();
        }

        if (sampling.NumRows > 0 && !_samplesInStep) sampler.Sample(_context, _logits, sampling);
        _context.Synchronize();
        if (_samplesInStep) sampler.Collect(_context, sampling);
        _context.Release(_mark);
    }

    public void Dispose()
    {
        if (_isDisposed) return;
        _isDisposed = true;
        _recorder?.Dispose();
        foreach (IAttentionExecutor executor in _attention) executor.Dispose();
        _builder.Dispose();
        _context.Dispose();
        _storage.Dispose();
        _model.Dispose();
        _deviceOwnership?.Dispose();
    }

    void IRecordableStep.Prepare()
    {
        _context.Release(_mark);
        _batch = _builder.Build(_context, _step, _bounds);
        for (int group = 0; group < _attention.Length; group++) _attention[group].Plan(_context, _batch, group);
        _logits = _batch.NumLogitRows == 0 ? default : _context.Scratch(DType.F32, _batch.NumLogitRows, Facts.VocabSize);
    }

    void IRecordableStep.Compute() => _model.Forward(_context, _batch, _attention, _logits);

    void IRecordableStep.Finish()
    {
        if (!_samplesInStep) return;
        _sampling.PadRows(_batch.NumLogitRows);
        _context.Device.SamplingKernels.Enqueue(_context, _logits, _sampling);
    }
}
