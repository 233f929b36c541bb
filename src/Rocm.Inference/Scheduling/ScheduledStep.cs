using System.Runtime.InteropServices;

namespace Rocm.Inference.Scheduling;

/// <summary>What runs in one step, and what else the scheduler decided. One object, reused: valid until the next <see cref="Scheduler.Schedule"/>.</summary>
internal sealed class ScheduledStep
{
    private readonly List<ScheduledRow> _rows = [];
    private readonly List<Request> _preempted = [];
    private readonly List<Request> _admitted = [];
    private readonly List<Request> _finished = [];

    /// <summary>1 for the first step.</summary>
    public long Number { get; private set; }

    /// <summary>Requests that were running before, then those admitted in this step.</summary>
    public ReadOnlySpan<ScheduledRow> Rows => CollectionsMarshal.AsSpan(_rows);

    /// <summary>Sum of the rows' query lengths.</summary>
    public int NumTokens { get; private set; }

    public int MaxQueryLen { get; private set; }

    public int MaxSeqLen { get; private set; }

    /// <summary>True when there is nothing to run; then <see cref="Scheduler.Complete"/> is not due.</summary>
    public bool IsEmpty => _rows.Count == 0;

    /// <summary>Requests that lost their blocks and wait again.</summary>
    public ReadOnlySpan<Request> Preempted => CollectionsMarshal.AsSpan(_preempted);

    /// <summary>Requests that were admitted, for the first time or again.</summary>
    public ReadOnlySpan<Request> Admitted => CollectionsMarshal.AsSpan(_admitted);

    /// <summary>Requests that ended in this step; filled by <see cref="Scheduler.Complete"/>. Aborted ones are not among them.</summary>
    public ReadOnlySpan<Request> Finished => CollectionsMarshal.AsSpan(_finished);

    internal void Begin()
    {
        _rows.Clear();
        _preempted.Clear();
        _admitted.Clear();
        _finished.Clear();
        NumTokens = 0;
        MaxQueryLen = 0;
        MaxSeqLen = 0;
        Number++;
    }

    internal void AddRow(in ScheduledRow row)
    {
        _rows.Add(row);
        NumTokens += row.QueryLen;
        MaxQueryLen = Math.Max(MaxQueryLen, row.QueryLen);
        MaxSeqLen = Math.Max(MaxSeqLen, row.SeqLen);
    }

    internal void AddPreempted(Request request) => _preempted.Add(request);

    internal void AddAdmitted(Request request) => _admitted.Add(request);

    internal void AddFinished(Request request) => _finished.Add(request);
}
