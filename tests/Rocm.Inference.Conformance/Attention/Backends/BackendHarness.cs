using Rocm.Inference.TestKit;
using Rocm.Inference.TestKit.Fakes;

namespace Rocm.Inference.Conformance.Attention.Backends;

/// <summary>
/// Runs one backend on requests step by step, as the engine would: orders the rows, gives out shuffled blocks as sequences grow, replaces blocks that
/// a window has passed by the null block. Whatever a step must not read is NaN: slots without a token, blocks given back, padding. The arena has exactly the
/// bytes that the backend asked for.
/// </summary>
internal sealed class BackendHarness : IDisposable
{
    private const int Padding = 2;
    private readonly AttentionRequests _requests;
    private readonly AttentionSpec _spec;
    private readonly PoisonedTensors _tensors;
    private DeviceContext _context;
    private readonly IAttentionExecutor _executor;
    private readonly KvCacheView _cache;
    private readonly List<IDisposable> _owned = [];
    private readonly Queue<int> _freeBlocks;
    private readonly List<int>[] _tables;
    private readonly int[] _lengths;
    private readonly int _tableWidth;

    public BackendHarness(IDevice device, IAttentionBackend backend, AttentionRequests requests, int blockSize, BatchLimits limits, int seed)
    {
        Backend = backend;
        _requests = requests;
        _spec = requests.Spec;
        BlockSize = blockSize;
        AttentionSupport support = backend.CheckSupport(_spec, device);
        if (!support.IsSupported) throw new InvalidOperationException($"{backend.Name}: {string.Join(", ", support.Reasons)}");
        _tensors = new PoisonedTensors(device, 1024);
        _tables = [.. requests.Lengths.Select(_ => new List<int>())];
        _lengths = new int[requests.Lengths.Count];
        _tableWidth = ((limits.MaxSeqLen + blockSize - 1) / blockSize) + 1;
        int numBlocks = 2 + requests.Lengths.Sum(l => (l + blockSize - 1) / blockSize);
        var random = new TestRandom(seed);
        _freeBlocks = new Queue<int>(Enumerable.Range(1, numBlocks - 1).OrderBy(_ => random.Next(0, int.MaxValue)));
        _cache = CreateCache(backend.GetKvCacheLayout(_spec), numBlocks);
        WorkspaceBytes = backend.WorkspaceBytes(_spec, device, limits);
        _context = device.CreateContext(WorkspaceBytes);
        _executor = backend.CreateExecutor(_spec, new AttentionResources
        {
            Device = device,
            Limits = limits,
            Layers =
            [
                new AttentionLayerResources
                {
                    LayerIndex = 0,
                    Cache = _cache,
                    Sinks = Vector(requests.Sinks),
                    AlibiSlopes = Vector(requests.Slopes),
                    Mla = requests.Weights?.Pack(device, _owned),
                },
            ],
        });
    }

    public IAttentionBackend Backend { get; }

    public IAttentionExecutor Executor => _executor;

    public int BlockSize { get; }

    /// <summary>What the backend asked for, which is what it got.</summary>
    public long WorkspaceBytes { get; }

    public long PeakBytes => _context.PeakArenaBytes;

    /// <summary>Buffers that the last step allocated on a <see cref="SpyDevice"/>.</summary>
    public int AllocationsInStep { get; private set; }

    /// <summary>At least this much is given as the bound of sequence lengths, as a captured graph would.</summary>
    public int MaxSeqLenBound { get; set; }

    /// <summary>Tokens of a request that are in the cache.</summary>
    public int Length(int request) => _lengths[request];

    /// <summary>Takes a new context, so that <see cref="PeakBytes"/> is that of the steps to come.</summary>
    public void RenewContext()
    {
        _context.Dispose();
        _context = _tensors.Device.CreateContext(WorkspaceBytes);
    }

    /// <summary>Forgets a request: its blocks are given back, poisoned.</summary>
    public void Reset(int request)
    {
        foreach (int block in _tables[request].Where(b => b != 0)) Free(block);
        _tables[request].Clear();
        _lengths[request] = 0;
    }

    /// <summary>Runs the next tokens of some requests.</summary>
    /// <returns>Per row, in the order given, [QueryLen, NumQoHeads, VHeadDim].</returns>
    public float[][] Step(params IReadOnlyList<(int Request, int QueryLen)> rows)
    {
        using var step = new PoisonedTensors(_tensors.Device, 64);
        int[] order = [.. Enumerable.Range(0, rows.Count).OrderBy(i => Region(rows[i]))];
        int tokens = rows.Sum(row => row.QueryLen);
        int[] offsets = new int[rows.Count + 1];
        for (int i = 0; i < order.Length; i++) offsets[i + 1] = offsets[i] + rows[order[i]].QueryLen;
        var batch = new ForwardBatch(1, rows.Count)
        {
            NumTokens = tokens,
            NumRows = rows.Count,
            MaxQueryLen = rows.Max(row => row.QueryLen),
            MaxSeqLen = Math.Max(MaxSeqLenBound, rows.Max(row => _lengths[row.Request] + row.QueryLen)),
        };
        if (_executor.Order == BatchOrder.DecodeExtendPrefill)
        {
            batch.NumDecodes = rows.Count(row => Region(row) == 0);
            batch.NumExtends = rows.Count(row => Region(row) == 1);
        }

        var table = new int[rows.Count * _tableWidth];
        Array.Fill(table, int.MinValue);
        var slots = new long[tokens];
        var positions = new int[tokens];
        for (int i = 0; i < order.Length; i++)
        {
            (int request, int count) = rows[order[i]];
            Grow(request, count);
            _tables[request].CopyTo(table, i * _tableWidth);
            batch.HostCuSeqlensQ[i + 1] = offsets[i + 1];
            batch.HostSeqLens[i] = _lengths[request] + count;
            for (int t = 0; t < count; t++)
            {
                int position = _lengths[request] + t;
                positions[offsets[i] + t] = position;
                slots[offsets[i] + t] = ((long)_tables[request][position / BlockSize] * BlockSize) + (position % BlockSize);
            }
        }

        batch.Positions = step.I32(positions, tokens);
        batch.CuSeqlensQ = step.I32(offsets, offsets.Length);
        batch.SeqLens = step.I32(batch.SeqLensHost.ToArray(), rows.Count);
        batch.HostGroups[0].SlotMapping = step.I64(slots, tokens);
        batch.HostGroups[0].BlockTable = step.I32(table, rows.Count, _tableWidth);
        TensorView output = step.Poison(DType.F32, tokens + Padding, _spec.NumQoHeads, _spec.VHeadDim);
        AttentionInputs inputs = Inputs(step, [.. order.Select(i => (rows[i].Request, rows[i].QueryLen))], tokens);
        int allocations = (_tensors.Device as SpyDevice)?.NumAllocations ?? 0;
        _executor.Plan(_context, batch, 0);
        _executor.Run(_context, 0, inputs, output.Slice(0, 0, tokens));
        AllocationsInStep = ((_tensors.Device as SpyDevice)?.NumAllocations ?? 0) - allocations;
        _context.Synchronize();
        _tensors.Verify();
        step.Verify();
        float[] result = step.Read(output);
        int width = _spec.NumQoHeads * _spec.VHeadDim;
        if (result.AsSpan(tokens * width).ContainsAnyExcept(float.NaN)) throw new InvalidOperationException("Padding tokens were written.");
        var results = new float[rows.Count][];
        for (int i = 0; i < order.Length; i++)
        {
            results[order[i]] = result.AsSpan(offsets[i] * width, rows[order[i]].QueryLen * width).ToArray();
            _lengths[rows[order[i]].Request] += rows[order[i]].QueryLen;
        }

        return results;
    }

    /// <summary>Runs a step and compares with the oracle.</summary>
    /// <returns>The largest error in units of what is allowed.</returns>
    public double Check(Tolerance tolerance, string what, params IReadOnlyList<(int Request, int QueryLen)> rows)
    {
        int[] before = [.. rows.Select(row => _lengths[row.Request])];
        float[][] actual = Step(rows);
        double worst = 0;
        for (int i = 0; i < rows.Count; i++)
        {
            double[] expected = _requests.Expected(rows[i].Request, before[i], rows[i].QueryLen);
            worst = Math.Max(worst, tolerance.Check(expected, actual[i], $"{Backend.Name}, {what}, request {rows[i].Request}, {before[i]}+{rows[i].QueryLen}"));
        }

        return worst;
    }

    public void Dispose()
    {
        _executor.Dispose();
        foreach (IDisposable resource in _owned) resource.Dispose();
        _context.Dispose();
        _tensors.Dispose();
    }

    private int Region((int Request, int QueryLen) row) =>
        _executor.Order == BatchOrder.Any ? 0 : _lengths[row.Request] == 0 ? 2 : row.QueryLen <= _executor.DecodeThreshold ? 0 : 1;

    private void Grow(int request, int count)
    {
        List<int> table = _tables[request];
        if (_spec.SlidingWindow is { } window)
        {
            int dead = Math.Max(0, _lengths[request] - window + 1) / BlockSize;
            for (int b = 0; b < Math.Min(dead, table.Count); b++)
            {
                if (table[b] == 0) continue;
                Free(table[b]);
                table[b] = 0;
            }
        }

        while (table.Count * BlockSize < _lengths[request] + count) table.Add(_freeBlocks.Dequeue());
    }

    private void Free(int block)
    {
        Poison(_cache.Key, block);
        if (!_cache.Value.IsAbsent) Poison(_cache.Value, block);
        _freeBlocks.Enqueue(block);
    }

    /// <summary>Every element of a block becomes NaN. In all layouts the block is the outermost dimension.</summary>
    private void Poison(TensorView cache, int block)
    {
        byte nan = cache.DType == DType.F8E4M3Fnuz ? (byte)0x80 : (byte)0xFF;
        TensorView bytes = new(cache.Buffer, cache.ByteOffset + (block * cache.Stride(0) * cache.DType.ByteSize()), DType.U8, cache.Stride(0) * cache.DType.ByteSize());
        _context.Upload<byte>([.. Enumerable.Repeat(nan, (int)bytes.Count)], bytes);
    }

    private AttentionInputs Inputs(PoisonedTensors step, (int Request, int Count)[] rows, int tokens)
    {
        float[] Join(int width, Func<int, int, int, float[]> part) =>
            [.. rows.SelectMany(row => part(row.Request, _lengths[row.Request], row.Count)), .. Enumerable.Repeat(float.NaN, Padding * width)];

        TensorView Tensor(float[] values, int heads, int dim) =>
            dim == 0 ? default : step.F32(values, tokens + Padding, heads, dim).Slice(0, 0, tokens);

        int queryHeads = _spec.NumQoHeads, keyHeads = _spec.NumKvHeads, rope = _spec.QkRopeHeadDim;
        return new AttentionInputs
        {
            Query = Tensor(Join(queryHeads * _requests.QueryDim, (r, f, c) => _requests.Query(r, f, c).ToArray()), queryHeads, _requests.QueryDim),
            Key = Tensor(Join(keyHeads * _requests.KeyDim, (r, f, c) => _requests.Key(r, f, c).ToArray()), keyHeads, _requests.KeyDim),
            Value = _requests.IsMla ? default : Tensor(Join(keyHeads * _spec.VHeadDim, (r, f, c) => _requests.Value(r, f, c).ToArray()), keyHeads, _spec.VHeadDim),
            QueryRope = Tensor(Join(queryHeads * rope, (r, f, c) => _requests.QueryRope(r, f, c).ToArray()), queryHeads, rope),
            KeyRope = Tensor(Join(rope, (r, f, c) => _requests.KeyRope(r, f, c).ToArray()), 1, rope),
        };
    }

    private KvCacheView CreateCache(KvCacheLayout layout, int blocks)
    {
        int x = 16 / _spec.KvDType.ByteSize(), b = BlockSize, h = _spec.NumKvHeads, d = _spec.HeadDim, dv = _spec.VHeadDim;
        DType type = _spec.KvDType;
        var cache = new KvCacheView
        {
            Layout = layout.Kind,
            BlockSize = b,
            Key = layout.Kind switch
            {
                KvLayoutKind.Nhd => _tensors.Poison(type, blocks, b, h, d),
                KvLayoutKind.MlaLatent => _tensors.Poison(type, blocks, b, _spec.KvLoraRank + _spec.QkRopeHeadDim),
                _ => _tensors.Poison(type, blocks, h, d / x, b, x),
            },
            Value = layout.Kind switch
            {
                KvLayoutKind.Nhd => _tensors.Poison(type, blocks, b, h, dv),
                KvLayoutKind.VectorizedX => _tensors.Poison(type, blocks, h, dv, b),
                KvLayoutKind.Shuffled => _tensors.Poison(type, blocks, h, b / x, dv, x),
                _ => default,
            },
            KeyScales = Vector(_requests.KeyScales),
            ValueScales = Vector(_requests.ValueScales),
        };
        return cache;
    }

    private TensorView Vector(float[]? values) => values is null ? default : _tensors.F32(values, values.Length);
}
