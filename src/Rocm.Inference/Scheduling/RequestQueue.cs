using System.Runtime.InteropServices;

namespace Rocm.Inference.Scheduling;

/// <summary>
/// Requests in the order in which they are served: by priority, then by arrival. A preempted request arrived before everyone of its
/// priority that still waits, so it comes back to the front by itself.
/// </summary>
internal sealed class RequestQueue
{
    // Last to be served first, so that the common moves, taking the head and putting a preempted request back, touch the list's end only.
    private readonly List<Request> _requests = [];

    public int Count => _requests.Count;

    public Request Peek() => _requests[^1];

    public void Push(Request request) => _requests.Insert(IndexOf(request), request);

    public void Pop() => _requests.RemoveAt(_requests.Count - 1);

    public bool Remove(Request request)
    {
        int index = IndexOf(request);
        if (index == _requests.Count || _requests[index] != request) return false;
        _requests.RemoveAt(index);
        return true;
    }

    /// <summary>The requests, last to be served first.</summary>
    public ReadOnlySpan<Request> Requests => CollectionsMarshal.AsSpan(_requests);

    private int IndexOf(Request request)
    {
        int low = 0;
        int high = _requests.Count;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (_requests[middle].CompareTo(request) > 0) low = middle + 1;
            else high = middle;
        }

        return low;
    }
}
