using Microsoft.Extensions.Logging;
using Rocm.Inference.Batching;
using Rocm.Inference.Devices;
using Rocm.Inference.Diagnostics;
using Rocm.Inference.Scheduling;

namespace Rocm.Inference.Engine;

/// <summary>What decides whether a recording fits a step.</summary>
/// <param name="Bounds">Rows and lengths.</param>
/// <param name="Sampling">See <see cref="ISamplingKernels.RecordingKey"/>; null when sampling is not part of the recording.</param>
internal readonly record struct StepKey(StepBounds Bounds, long? Sampling);

/// <summary>A step in the parts that are made anew, or not, when it is replayed. Each may be called again for the same step.</summary>
internal interface IRecordableStep
{
    /// <summary>Everything that the host decides, and its uploads.</summary>
    void Prepare();

    /// <summary>The model: nothing but work for the device.</summary>
    void Compute();

    /// <summary>Sampling where it is recorded: uploads, work and results.</summary>
    void Finish();
}

/// <summary>
/// Lets a device that can record do so with decode steps, one recording for each pair of padded rows and bounded length, and replay it for every step
/// that fits. A step is run as it is when its bounds are first met, which loads its kernels; recorded and replayed the second time; replayed from then on.
/// </summary>
internal sealed class StepRecorder : IDisposable
{
    /// <summary>Shortest bound of a recording's lengths. Bounds double: attention looks at no more than twice the keys that are there.</summary>
    public const int ShortestBound = 512;

    private readonly DeviceContext _context;
    private readonly BatchLimits _limits;
    private readonly ILogger _logger;
    private readonly Dictionary<StepKey, IRecordedWork?> _recordings = [];
    private readonly HashSet<StepBounds> _refused = [];

    private StepRecorder(DeviceContext context, BatchLimits limits, ILogger logger)
    {
        _context = context;
        _limits = limits;
        _logger = logger;
    }

    /// <summary>Number of recordings.</summary>
    public int Count => _recordings.Values.Count(recording => recording is not null);

    /// <summary>A recorder, or null where the device or an executor does not support recording.</summary>
    /// <param name="context">Where the steps run.</param>
    /// <param name="attention">The executors of all layer groups.</param>
    /// <param name="limits">The largest step.</param>
    /// <param name="logger">Told of steps that could not be recorded.</param>
    public static StepRecorder? Create(DeviceContext context, IReadOnlyList<IAttentionExecutor> attention, BatchLimits limits, ILogger logger) =>
        context.CanRecord && attention.All(executor => executor.Graphs != GraphSupport.Never) ? new StepRecorder(context, limits, logger) : null;

    /// <summary>The bounds under which a step can be replayed; null for a step that is no decode of one token in every row.</summary>
    public StepBounds? BoundsOf(ScheduledStep step)
    {
        if (step.MaxQueryLen != 1 || step.Rows.Length == 0) return null;
        foreach (ref readonly ScheduledRow row in step.Rows)
        {
            if (row.PrefixLen == 0 || row.NumLogitRows != 1) return null;
        }

        var bounds = new StepBounds(Math.Min(PaddedRows(step.Rows.Length), _limits.MaxNumRows), Math.Min(PaddedLength(step.MaxSeqLen), _limits.MaxSeqLen));
        return _refused.Contains(bounds) ? null : bounds;
    }

    /// <summary>Replays a step, after recording it when its key is met for the second time.</summary>
    /// <param name="key">The bounds that <see cref="BoundsOf"/> said, and what of sampling is recorded with the step.</param>
    /// <param name="step">The step.</param>
    /// <returns>False when the step was not run: to be run as it is.</returns>
    public bool TryRun(StepKey key, IRecordableStep step)
    {
        if (!_recordings.TryGetValue(key, out IRecordedWork? recording))
        {
            _recordings.Add(key, null);
            return false;
        }

        if ((recording ?? Record(key, step)) is not { } recorded) return false;
        _context.Replay(recorded, step, static step =>
        {
            step.Prepare();
            step.Finish();
        });
        return true;
    }

    public void Dispose()
    {
        foreach (IRecordedWork? recording in _recordings.Values) recording?.Dispose();
        _recordings.Clear();
    }

    private IRecordedWork? Record(StepKey key, IRecordableStep step)
    {
        try
        {
            IRecordedWork recorded = _context.Record(step, static step =>
            {
                step.Prepare();
                step.Compute();
                step.Finish();
            });
            _recordings[key] = recorded;
            return recorded;
        }
        catch (HipException exception) when (!exception.IsDeviceFault)
        {
            // A runtime that cannot record can still run; a device that is lost says so again at the next call.
            _refused.Add(key.Bounds);
            Log.StepNotRecorded(_logger, key.Bounds.NumRows, key.Bounds.MaxSeqLen, exception);
            return null;
        }
    }

    // Few sizes at small numbers of rows, where a row more costs least.
    private static int PaddedRows(int rows) => rows switch
    {
        <= 8 => (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)rows),
        <= 64 => Up(rows, 8),
        <= 256 => Up(rows, 16),
        _ => Up(rows, 64),
    };

    private static int PaddedLength(int length) =>
        (int)Math.Min(int.MaxValue, Math.Max(ShortestBound, System.Numerics.BitOperations.RoundUpToPowerOf2((ulong)length)));

    private static int Up(int value, int multiple) => (value + multiple - 1) / multiple * multiple;
}
