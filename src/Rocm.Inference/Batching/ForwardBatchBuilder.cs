using System.Runtime.CompilerServices;
using Rocm.Inference.KvCache;
using Rocm.Inference.Scheduling;

namespace Rocm.Inference.Batching;

/// <summary>
/// Turns the scheduler's decision into tensors: orders rows as the executors ask, lays out ids, positions, offsets, lengths, logit rows, and per
/// layer group the slot mapping and block table. All buffers are made once for the largest step and reused: nothing is allocated per step.
/// </summary>
internal sealed class ForwardBatchBuilder : IDisposable
{
    private const long PadSlot = -1;
    private const int NumRegions = 3;

    private readonly KvCacheGroup[] _groups;
    private readonly BatchOrder _order;
    private readonly int _decodeThreshold;
    private readonly BatchLimits _limits;
    private readonly ForwardBatch _batch;
    private readonly DeviceBuffer _buffer;
    private readonly Section<int> _inputIds, _positions, _cuSeqlensQ, _seqLens, _logitRows;
    private readonly Section<long>[] _slotMappings;
    private readonly Section<int>[] _blockTables;
    private readonly int[] _tableWidths;
    private readonly int[] _rowOrder;
    private readonly int[] _rowEnds;
    private readonly byte[] _regions;

    /// <param name="device">Where the tensors live.</param>
    /// <param name="groups">Layer groups, in the order of the models' executors.</param>
    /// <param name="order">The strictest order that any executor asks for.</param>
    /// <param name="limits">The largest step.</param>
    /// <param name="decodeThreshold">Most new tokens of a decode row.</param>
    public ForwardBatchBuilder(IDevice device, ReadOnlySpan<KvCacheGroup> groups, BatchOrder order, BatchLimits limits, int decodeThreshold = 1)
    {
        _groups = groups.ToArray();
        _order = order;
        _decodeThreshold = decodeThreshold;
        _limits = limits;
        _batch = new ForwardBatch(groups.Length, limits.MaxNumRows);
        _rowOrder = new int[limits.MaxNumRows];
        _rowEnds = new int[limits.MaxNumRows];
        _regions = new byte[limits.MaxNumRows];
        _slotMappings = new Section<long>[groups.Length];
        _blockTables = new Section<int>[groups.Length];
        _tableWidths = new int[groups.Length];
        long bytes = 0;
        _inputIds = new Section<int>(DType.I32, limits.MaxNumTokens, ref bytes);
        _positions = new Section<int>(DType.I32, limits.MaxNumTokens, ref bytes);
        _cuSeqlensQ = new Section<int>(DType.I32, limits.MaxNumRows + 1, ref bytes);
        _seqLens = new Section<int>(DType.I32, limits.MaxNumRows, ref bytes);
        _logitRows = new Section<int>(DType.I32, limits.MaxNumRows, ref bytes);
        for (int g = 0; g < groups.Length; g++)
        {
            _tableWidths[g] = groups[g].NumBlocksFor(limits.MaxSeqLen);
            _slotMappings[g] = new Section<long>(DType.I64, limits.MaxNumTokens, ref bytes);
            _blockTables[g] = new Section<int>(DType.I32, checked(limits.MaxNumRows * _tableWidths[g]), ref bytes);
        }

        _buffer = device.Allocate(bytes);
    }

    /// <summary>
    /// Builds and uploads the batch of a step. Rows are laid out in the executors' order, logit rows in the step's, so that sampled ids come in the
    /// step's order. The result is reused by the next call.
    /// </summary>
    public ForwardBatch Build(DeviceContext context, ScheduledStep step)
    {
        ReadOnlySpan<ScheduledRow> rows = step.Rows;
        Order(rows);
        Span<int> ids = _inputIds.Host;
        Span<int> positions = _positions.Host;
        int token = 0;
        for (int r = 0; r < rows.Length; r++)
        {
            ref readonly ScheduledRow row = ref rows[_rowOrder[r]];
            _batch.HostCuSeqlensQ[r] = token;
            _batch.HostSeqLens[r] = row.SeqLen;
            row.Request.Tokens[row.PrefixLen..row.SeqLen].CopyTo(ids[token..]);
            for (int i = 0; i < row.QueryLen; i++) positions[token + i] = row.PrefixLen + i;
            token += row.QueryLen;
            _rowEnds[_rowOrder[r]] = token;
        }

        int logitRow = 0;
        for (int r = 0; r < rows.Length; r++)
        {
            for (int i = rows[r].NumLogitRows; i > 0; i--) _logitRows.Host[logitRow++] = _rowEnds[r] - i;
        }

        _batch.HostCuSeqlensQ[rows.Length] = token;
        _batch.HostCuSeqlensQ.AsSpan(0, rows.Length + 1).CopyTo(_cuSeqlensQ.Host);
        _batch.HostSeqLens.AsSpan(0, rows.Length).CopyTo(_seqLens.Host);
        _batch.NumTokens = token;
        _batch.NumRows = rows.Length;
        _batch.NumLogitRows = logitRow;
        _batch.MaxQueryLen = step.MaxQueryLen;
        _batch.MaxSeqLen = step.MaxSeqLen;
        _batch.InputIds = _inputIds.Upload(context, _buffer, token);
        _batch.Positions = _positions.Upload(context, _buffer, token);
        _batch.CuSeqlensQ = _cuSeqlensQ.Upload(context, _buffer, rows.Length + 1);
        _batch.SeqLens = _seqLens.Upload(context, _buffer, rows.Length);
        _batch.LogitRows = _logitRows.Upload(context, _buffer, logitRow);
        for (int g = 0; g < _groups.Length; g++) BuildGroup(context, rows, g, token);
        return _batch;
    }

    public void Dispose() => _buffer.Dispose();

    private void BuildGroup(DeviceContext context, ReadOnlySpan<ScheduledRow> rows, int g, int numTokens)
    {
        int blockSize = _groups[g].BlockSize;
        int width = 1;
        foreach (ref readonly ScheduledRow row in rows) width = Math.Max(width, row.Request.Blocks.Table(g).Length);
        if (width > _tableWidths[g])
            throw new InvalidOperationException($"A request of group {g} has {width} blocks; the batch was planned for {_tableWidths[g]}.");

        Span<long> slots = _slotMappings[g].Host;
        Span<int> tables = _blockTables[g].Host;
        int token = 0;
        for (int r = 0; r < rows.Length; r++)
        {
            ref readonly ScheduledRow row = ref rows[_rowOrder[r]];
            ReadOnlySpan<int> table = row.Request.Blocks.Table(g);
            table.CopyTo(tables[(r * width)..]);
            tables.Slice((r * width) + table.Length, width - table.Length).Clear();
            for (int position = row.PrefixLen; position < row.SeqLen;)
            {
                int index = position / blockSize;
                int end = Math.Min(row.SeqLen, (index + 1) * blockSize);
                Span<long> run = slots.Slice(token, end - position);
                token += run.Length;

                // A token whose block the window has already passed is never read again: nothing to store.
                if (table[index] == BlockPool.NullBlock) run.Fill(PadSlot);
                else
                {
                    long slot = ((long)table[index] * blockSize) + (position - (index * blockSize));
                    for (int i = 0; i < run.Length; i++) run[i] = slot + i;
                }

                position = end;
            }
        }

        ForwardBatchGroup group = _batch.HostGroups[g];
        group.SlotMapping = _slotMappings[g].Upload(context, _buffer, numTokens);
        group.BlockTable = _blockTables[g].Upload(context, _buffer, rows.Length * width).Reshape(rows.Length, width);
    }

    /// <summary>Stable by region: decode (one new token on a context), extend, prefill.</summary>
    private void Order(ReadOnlySpan<ScheduledRow> rows)
    {
        if (rows.Length > _limits.MaxNumRows)
            throw new InvalidOperationException($"A step has {rows.Length} rows; the batch was planned for {_limits.MaxNumRows}.");
        _batch.NumDecodes = 0;
        _batch.NumExtends = 0;
        if (_order == BatchOrder.Any)
        {
            for (int i = 0; i < rows.Length; i++) _rowOrder[i] = i;
            return;
        }

        Span<int> counts = stackalloc int[NumRegions];
        counts.Clear();
        for (int i = 0; i < rows.Length; i++)
        {
            _regions[i] = (byte)Region(rows[i]);
            counts[_regions[i]]++;
        }

        _batch.NumDecodes = counts[0];
        _batch.NumExtends = counts[1];
        Span<int> next = [0, counts[0], counts[0] + counts[1]];
        for (int i = 0; i < rows.Length; i++) _rowOrder[next[_regions[i]]++] = i;
    }

    // A row without context is a prefill whatever its length: an extend row always has something to merge with.
    private int Region(in ScheduledRow row) => row.PrefixLen == 0 ? 2 : row.QueryLen <= _decodeThreshold ? 0 : 1;

    /// <summary>A part of the one device buffer with its staging memory on the host.</summary>
    private readonly struct Section<T>
        where T : unmanaged
    {
        private readonly T[] _host;
        private readonly long _offset;
        private readonly DType _dtype;

        public Section(DType dtype, int length, ref long bytes)
        {
            _host = GC.AllocateArray<T>(length, pinned: true);
            _dtype = dtype;
            _offset = bytes;
            bytes = (bytes + ((long)length * Unsafe.SizeOf<T>()) + 63) & ~63L;
        }

        public Span<T> Host => _host;

        public TensorView Upload(DeviceContext context, DeviceBuffer buffer, int length)
        {
            var view = new TensorView(buffer, _offset, _dtype, length);
            context.Upload<T>(_host.AsSpan(0, length), view);
            return view;
        }
    }
}
