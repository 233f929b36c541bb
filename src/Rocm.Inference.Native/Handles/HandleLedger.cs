namespace Rocm.Inference.Native.Handles;

/// <summary>
/// Counts the native objects alive per kind, to find leaks. Given to <see cref="Hip.HipRuntime"/> when it is loaded; without one nothing is counted.
/// </summary>
internal sealed class HandleLedger
{
    private readonly int[] _live = new int[Enum.GetValues<HandleKind>().Length];
    private int _failedReleases;

    /// <summary>Objects of one kind that were created and not yet given back.</summary>
    internal int Live(HandleKind kind) => Volatile.Read(ref _live[(int)kind]);

    /// <summary>Objects of all kinds.</summary>
    internal int Total => Enum.GetValues<HandleKind>().Sum(Live);

    /// <summary>Releases that the native library refused: what they concern may have leaked inside it.</summary>
    internal int FailedReleases => Volatile.Read(ref _failedReleases);

    internal void Opened(HandleKind kind) => Interlocked.Increment(ref _live[(int)kind]);

    internal void Closed(HandleKind kind, bool released)
    {
        Interlocked.Decrement(ref _live[(int)kind]);
        if (!released) Interlocked.Increment(ref _failedReleases);
    }

    /// <summary>"Stream 2, Event 1", or "empty".</summary>
    public override string ToString()
    {
        string text = string.Join(", ", Enum.GetValues<HandleKind>().Where(kind => Live(kind) != 0).Select(kind => $"{kind} {Live(kind)}"));
        return text.Length == 0 ? "empty" : text;
    }
}
