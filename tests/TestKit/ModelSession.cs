using Rocm.Inference.KvCache.Storage;
using Rocm.Inference.Models;

namespace Rocm.Inference.TestKit;

/// <summary>
/// A loaded model with a cache for one sequence, driven directly: no scheduler, no engine. Every layer group has blocks of its own, in an order
/// that is not ascending. The arena has exactly the planned size.
/// </summary>
internal sealed class ModelSession : IDisposable
{
    private readonly IDevice _device;
    private readonly DecoderModel _model;
    private readonly DeviceContext _context;
    private readonly KvCacheStorage _storage;
    private readonly IAttentionExecutor[] _executors;
    private readonly KvLayoutKind _layout;
    private readonly DeviceBuffer _inputs;
    private readonly ForwardBatch _batch;
    private readonly int _blockSize;
    private readonly int _blocksPerGroup;
    private long _inputBytes;

    /// <param name="device">Where it runs.</param>
    /// <param name="folder">A model folder.</param>
    /// <param name="maxSeqLen">Longest sequence.</param>
    /// <param name="kvDType">Element type of the cache.</param>
    /// <param name="blockSize">Tokens in a block.</param>
    /// <param name="backend">The attention; null for the first of the model's kind.</param>
    public ModelSession(IDevice device, string folder, int maxSeqLen, DType kvDType, int blockSize = 8, IAttentionBackend? backend = null)
    {
        _device = device;
        _blockSize = blockSize;
        _blocksPerGroup = (maxSeqLen + blockSize - 1) / blockSize;
        var limits = new BatchLimits(maxSeqLen, 1, maxSeqLen);
        using DecoderPlan plan = DecoderPlan.Create(ModelFolder.Open(folder), new ModelRuntimeSettings(maxSeqLen, kvDType), device.ActivationDType, ParallelContext.Single);
        PlannedBytes = plan.WeightBytes;
        _model = DecoderModel.Load(plan, device, progress: null, CancellationToken.None);
        IReadOnlyList<LayerGroup> groups = _model.Groups.Groups;
        backend ??= TestBackends.FirstOf(groups[0].Spec.Kind);
        KvCacheLayout layout = backend.GetKvCacheLayout(groups[0].Spec);
        _layout = layout.Kind;
        _storage = KvCacheStorage.Allocate(device, groups[0].Spec, blockSize, _model.Groups.LayersPerBlock, 1 + (groups.Count * _blocksPerGroup));
        _executors = [.. groups.Select(group => backend.CreateExecutor(group.Spec, new AttentionResources
        {
            Device = device,
            Limits = limits,
            Layers = [.. group.Layers.Select((layer, slot) => _model.AttentionResources(layer, _storage.View(group.Spec, layout.Kind, blockSize, slot)))],
        }))];
        ScratchBytes = plan.ScratchBytes(limits, device, groups.Max(group => backend.WorkspaceBytes(group.Spec, device, limits)));
        _context = device.CreateContext(ScratchBytes);
        _inputs = device.Allocate(64L * ((4 * maxSeqLen) + (groups.Count * (maxSeqLen + _blocksPerGroup)) + 64));
        _batch = new ForwardBatch(groups.Count, 1);
    }

    /// <summary>What the plan said that weights take.</summary>
    public long PlannedBytes { get; }

    public long ScratchBytes { get; }

    public long PeakScratchBytes => _context.PeakArenaBytes;

    public DecoderModel Model => _model;

    /// <summary>Computes the next tokens of the sequence.</summary>
    /// <param name="tokens">The whole sequence so far.</param>
    /// <param name="prefixLen">How many of them are in the cache.</param>
    /// <param name="positions">Absolute positions whose logits are wanted, at least <paramref name="prefixLen"/>.</param>
    /// <returns>A row of logits for each position.</returns>
    public float[][] Forward(ReadOnlySpan<int> tokens, int prefixLen, params ReadOnlySpan<int> positions)
    {
        int count = tokens.Length - prefixLen;
        int[] all = [.. Enumerable.Range(prefixLen, count)];
        int[] rows = new int[positions.Length];
        for (int i = 0; i < rows.Length; i++) rows[i] = positions[i] - prefixLen;
        _inputBytes = 0;
        _batch.NumTokens = count;
        _batch.NumRows = 1;
        _batch.NumLogitRows = rows.Length;
        _batch.MaxQueryLen = count;
        _batch.MaxSeqLen = tokens.Length;
        BatchOrder order = _executors[0].Order;
        bool isDecode = order == BatchOrder.DecodeExtendPrefill && prefixLen > 0 && count <= _executors[0].DecodeThreshold;
        _batch.NumDecodes = isDecode ? 1 : 0;
        _batch.NumExtends = order == BatchOrder.DecodeExtendPrefill && prefixLen > 0 && !isDecode ? 1 : 0;
        _batch.HostCuSeqlensQ[1] = count;
        _batch.HostSeqLens[0] = tokens.Length;
        _batch.InputIds = Upload<int>(DType.I32, tokens[prefixLen..]);
        _batch.Positions = Upload<int>(DType.I32, all);
        _batch.CuSeqlensQ = Upload<int>(DType.I32, [0, count]);
        _batch.SeqLens = Upload<int>(DType.I32, [tokens.Length]);
        _batch.LogitRows = Upload<int>(DType.I32, rows);
        for (int group = 0; group < _executors.Length; group++)
        {
            int groupIndex = group;
            int[] table = [.. Enumerable.Range(0, _blocksPerGroup).Select(block => BlockOf(groupIndex, block * _blockSize))];
            _batch.HostGroups[group].SlotMapping = Upload<long>(DType.I64, [.. all.Select(p => ((long)table[p / _blockSize] * _blockSize) + (p % _blockSize))]);
            _batch.HostGroups[group].BlockTable = Upload<int>(DType.I32, table).Reshape(1, _blocksPerGroup);
            _executors[group].Plan(_context, _batch, group);
        }

        return Run(rows.Length);
    }

    /// <summary>What a cache of 8-bit numbers holds of the first tokens: in every layout layer by layer [tokens, heads, channels] of K, then of V.</summary>
    public byte[] CachedCodes(int length)
    {
        var codes = new List<byte>();
        IReadOnlyList<LayerGroup> groups = _model.Groups.Groups;
        for (int group = 0; group < groups.Count; group++)
        {
            for (int slot = 0; slot < groups[group].Layers.Count; slot++)
            {
                KvCacheView view = _storage.View(groups[group].Spec, _layout, _blockSize, slot);
                TensorView key = view.Key, value = view.Value;
                int heads = _layout == KvLayoutKind.MlaLatent ? 1 : (int)key.Dim(_layout == KvLayoutKind.Nhd ? 2 : 1);
                int keyDim = (int)(key.Count / (key.Dim(0) * _blockSize * heads)), valueDim = value.IsAbsent ? 0 : (int)(value.Count / (value.Dim(0) * _blockSize * heads));
                var at = new OracleCacheLayout(_layout, key.DType, 1, _blockSize, heads, keyDim, valueDim);
                Read(key, keyDim, at.Key);
                if (valueDim > 0) Read(value, valueDim, at.Value);

                void Read(TensorView tensor, int dim, Func<long, int, int, long> index)
                {
                    var block = new byte[_blockSize * heads * dim];
                    for (int token = 0; token < length; token++)
                    {
                        int inBlock = token % _blockSize;
                        if (inBlock == 0) _context.Download(tensor.Slice(0, BlockOf(group, token), 1), block.AsSpan());
                        for (int head = 0; head < heads; head++)
                        {
                            for (int channel = 0; channel < dim; channel++) codes.Add(block[index(inBlock, head, channel)]);
                        }
                    }
                }
            }
        }

        return [.. codes];
    }

    /// <summary>Runs the last step again and tells how much managed memory this thread allocated for it, after warm-up.</summary>
    public long BytesAllocatedByRepeating()
    {
        using DeviceBuffer logits = _device.Allocate((long)_batch.NumLogitRows * _model.VocabSize * sizeof(float));
        TensorView view = logits.View(DType.F32, _batch.NumLogitRows, _model.VocabSize);
        for (int i = 0; i < 3; i++) _model.Forward(_context, _batch, _executors, view);
        long before = GC.GetAllocatedBytesForCurrentThread();
        _model.Forward(_context, _batch, _executors, view);
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }

    public void Dispose()
    {
        foreach (IAttentionExecutor executor in _executors) executor.Dispose();
        _inputs.Dispose();
        _context.Dispose();
        _storage.Dispose();
        _model.Dispose();
    }

    // Blocks of the groups alternate and descend: a table that is mixed up reads another layer's keys.
    private int BlockOf(int group, int position) => 1 + ((_blocksPerGroup - 1 - (position / _blockSize)) * _executors.Length) + group;

    private float[][] Run(int rows)
    {
        using DeviceBuffer logits = _device.Allocate(Math.Max(1, (long)rows * _model.VocabSize * sizeof(float)));
        TensorView view = logits.View(DType.F32, rows, _model.VocabSize);
        _model.Forward(_context, _batch, _executors, view);
        var result = new float[rows][];
        for (int i = 0; i < rows; i++)
        {
            result[i] = new float[_model.VocabSize];
            _context.Download(view.Slice(0, i, 1), result[i].AsSpan());
        }

        return result;
    }

    private TensorView Upload<T>(DType dtype, ReadOnlySpan<T> values)
        where T : unmanaged
    {
        var view = new TensorView(_inputs, _inputBytes, dtype, values.Length);
        _context.Upload(values, view);
        _inputBytes += ((values.Length * dtype.ByteSize()) + 63) & ~63L;
        return view;
    }
}
