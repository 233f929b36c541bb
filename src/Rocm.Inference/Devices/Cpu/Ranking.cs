namespace Rocm.Inference.Devices.Cpu;

/// <summary>The best of the offered items, best first; of equal ones the one offered first. NaN ranks last. The lists are the caller's.</summary>
internal unsafe ref struct Ranking(int* items, float* keys, int capacity)
{
    private int _count;

    public void Offer(float key, int item)
    {
        if (float.IsNaN(key)) key = float.NegativeInfinity;
        if (_count == capacity)
        {
            if (!(key > keys[capacity - 1])) return;
        }
        else
        {
            _count++;
        }

        int at = _count - 1;
        for (; at > 0 && key > keys[at - 1]; at--)
        {
            keys[at] = keys[at - 1];
            items[at] = items[at - 1];
        }

        keys[at] = key;
        items[at] = item;
    }
}

/// <summary>A thread's memory while it routes: of scores and keys one for each expert, of groups one for each group.</summary>
internal readonly unsafe struct RouteScratch(void* memory, int numExperts, int numGroups)
{
    public float* Scores => (float*)memory;

    public float* Keys => Scores + numExperts;

    public float* GroupKeys => Keys + numExperts;

    public int* Groups => (int*)(GroupKeys + numGroups);

    /// <summary>One for each chosen expert.</summary>
    public float* ChosenKeys => GroupKeys + (2 * numGroups);

    public static long SizeBytes(int numExperts, int numGroups, int topK) => ((2L * numExperts) + (2L * numGroups) + topK) * sizeof(float);
}
