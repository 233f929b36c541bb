namespace Rocm.Inference.Scheduling;

internal enum RequestStatus
{
    /// <summary>Queued, or not yet added; owns no blocks.</summary>
    Waiting,

    /// <summary>Admitted; takes part in steps.</summary>
    Running,

    /// <summary>Was running, lost its blocks, is queued again; keeps its tokens.</summary>
    Preempted,

    /// <summary>Ended or aborted; never scheduled again.</summary>
    Finished,
}
