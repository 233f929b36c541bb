namespace Rocm.Inference;

/// <summary>Where a session is in its life.</summary>
public enum SessionState
{
    /// <summary>Not yet ready: loading, or not yet asked to load.</summary>
    Loading,

    /// <summary>Accepts requests.</summary>
    Ready,

    /// <summary>Loading failed, or the device failed: every call throws with the cause. Dispose it and load another.</summary>
    Faulted,

    /// <summary>Disposed.</summary>
    Disposed,
}
