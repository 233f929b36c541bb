using Rocm.Inference.Native.Handles;
using Rocm.Inference.Native.Hip;

namespace Rocm.Inference.Devices.Hip.Aiter;

/// <summary>
/// AITER's kernels over fp8 caches want a scale for every token, float [blocks, KV heads, block size] for keys and for values, or for every block; a cache of this library has one
/// for a tensor or a head, or none. The tables repeat those: the same one for all layers without scales, else one for each layer, 1/32 of its cache. They are
/// made at the first step that reads a cache, for which the host waits once; steps are recorded when their like has run before.
/// They live as long as the cache. Thread-safe.
/// </summary>
internal sealed class AiterScaleTables(HipGpu gpu) : IDisposable
{
    private const int PartElements = 1 << 20;

    private readonly Lock _lock = new();
    private readonly Dictionary<Key, Entry> _tables = [];

    /// <summary>The tables of a cache.</summary>
    /// <param name="lane">Whose step asks; while it is being recorded nothing is made.</param>
    /// <param name="cache">A Shuffled cache.</param>
    /// <param name="perBlock">A scale for every block and head, and not for its tokens.</param>
    /// <param name="keys">Address of the keys' table.</param>
    /// <param name="values">Address of the values' table.</param>
    /// <returns>False when there are none and none can be made: no memory, or a recording.</returns>
    public bool TryGet(HipContext lane, in KvCacheView cache, bool perBlock, out nint keys, out nint values)
    {
        bool plain = cache.KeyScales.IsAbsent && cache.ValueScales.IsAbsent;
        var key = new Key(plain ? null : cache.Key.Buffer, cache.Key.Dim(0), (int)cache.Key.Dim(1), perBlock ? 1 : cache.BlockSize);
        (keys, values) = (0, 0);
        lock (_lock)
        {
            if (!_tables.TryGetValue(key, out Entry entry))
            {
                if (lane.Stream.IsCapturing) return false;
                DropDisposed();
                _tables[key] = entry = Create(key, cache);
            }

            if (entry.Table is not { } table) return false;
            keys = table.Address;
            values = table.Address + (nint)(key.Elements * sizeof(float));
            return true;
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            foreach (Entry entry in _tables.Values) entry.Table?.Dispose();
            _tables.Clear();
        }
    }

    private void DropDisposed()
    {
        foreach ((Key key, Entry entry) in _tables)
        {
            if (key.Cache is not { IsDisposed: true }) continue;
            entry.Table?.Dispose();
            _tables.Remove(key);
        }
    }

    private Entry Create(in Key key, in KvCacheView cache)
    {
        DeviceBuffer table;
        try
        {
            table = gpu.Allocate(2 * key.Elements * sizeof(float));
        }
        catch (DeviceMemoryException)
        {
            return default;
        }

        try
        {
            // A stream of its own: that of the step may have staged what it has not copied yet.
            using HipStream stream = gpu.Native.CreateStream();
            Fill(stream, table, 0, key, cache.KeyScales);
            Fill(stream, table, key.Elements, key, cache.ValueScales);
            return new Entry(table);
        }
        catch
        {
            table.Dispose();
            throw;
        }
    }

    private static void Fill(HipStream stream, DeviceBuffer table, long first, in Key key, TensorView scales)
    {
        float[] ofHeads = new float[scales.IsAbsent ? 1 : scales.Count];
        ofHeads[0] = 1;
        if (!scales.IsAbsent) stream.Download((MemoryHandle)scales.Buffer.Handle, ofHeads.AsSpan(), scales.ByteOffset);
        int blockElements = key.NumHeads * key.BlockSize;
        float[] part = new float[(int)Math.Min(key.NumBlocks, Math.Max(1, PartElements / blockElements)) * blockElements];
        for (int i = 0; i < part.Length; i++) part[i] = ofHeads[i / key.BlockSize % key.NumHeads % ofHeads.Length];
        for (long done = 0; done < key.Elements; done += part.Length)
        {
            int count = (int)Math.Min(part.Length, key.Elements - done);
            stream.Upload<float>(part.AsSpan(0, count), (MemoryHandle)table.Handle, (first + done) * sizeof(float));
        }
    }

    /// <param name="Cache">The keys of the layer, whose scales these are; null: there are none.</param>
    /// <param name="NumBlocks">Blocks of the cache.</param>
    /// <param name="NumHeads">KV heads.</param>
    /// <param name="BlockSize">Scales of a block and head: its tokens, or one.</param>
    private readonly record struct Key(DeviceBuffer? Cache, long NumBlocks, int NumHeads, int BlockSize)
    {
        public long Elements => NumBlocks * NumHeads * BlockSize;
    }

    private readonly record struct Entry(DeviceBuffer? Table);
}
