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
    private readonly BatchMemory _memory;
    private readonly int[] _maxTableWidths;
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
        _maxTableWidths = new int[groups.Length];
        long bytes = (2 * BatchMemory.BytesOf<int>(limits.MaxNumTokens)) + BatchMemory.BytesOf<int>(limits.MaxNumRows + 1) + (2 * BatchMemory.BytesOf<int>(limits.MaxNumRows));
        for (int g = 0; g < groups.Length; g++)
        {
            _maxTableWidths[g] = groups[g].NumBlocksFor(limits.MaxSeqLen);
            bytes += BatchMemory.BytesOf<long>(limits.MaxNumTokens) + BatchMemory.BytesOf<int>((long)limits.MaxNumRows * _maxTableWidths[g]);
        }

        _memory = new BatchMemory(device, bytes);
    }

    /// <summary>
    /// Builds and uploads the batch of a step. Rows are laid out in the executors' order, logit rows in the step's, so that sampled ids come in the
    /// step's order. The result is reused by the next call.
    /// </summary>
    /// <param name="context">Uploads through it.</param>
    /// <param name="step">The step.</param>
    /// <param name="bounds">Other sizes than the step's own, for a step of decode rows only.</param>
    public ForwardBatch Build(DeviceContext context, ScheduledStep step, StepBounds? bounds = null)
    {
        ReadOnlySpan<ScheduledRow> rows = step.Rows;
        int numPadded = (bounds?.NumRows ?? rows.Length) - rows.Length;
        Order(rows, numPadded);
        int numRows = rows.Length + numPadded, numTokens = step.NumTokens + numPadded, numLogitRows = numPadded;
        foreach (ref readonly ScheduledRow row in rows) numLogitRows += row.NumLogitRows;
        _batch.NumTokens = numTokens;
        _batch.NumRows = numRows;
        _batch.NumLogitRows = numLogitRows;
        _batch.MaxQueryLen = step.MaxQueryLen;
        _batch.MaxSeqLen = bounds?.MaxSeqLen ?? step.MaxSeqLen;
        _batch.HasFixedBounds = bounds is not null;
        _memory.Clear();
        BuildTokens(rows, numPadded);
        BuildLogitRows(rows, numPadded, numLogitRows);
        for (int g = 0; g < _groups.Length; g++) BuildGroup(rows, g, numPadded, bounds);
        _memory.Upload(context);
        return _batch;
    }

    public void Dispose() => _memory.Dispose();

    private void BuildTokens(ReadOnlySpan<ScheduledRow> rows, int numPadded)
    {
        int numRows = rows.Length + numPadded;
        BatchTensor<int> ids = _memory.Take<int>(DType.I32, _batch.NumTokens), positions = _memory.Take<int>(DType.I32, _batch.NumTokens);
        BatchTensor<int> offsets = _memory.Take<int>(DType.I32, numRows + 1), lengths = _memory.Take<int>(DType.I32, numRows);
        int token = 0;
        for (int r = 0; r < rows.Length; r++)
        {
            ref readonly ScheduledRow row = ref rows[_rowOrder[r]];
            _batch.HostCuSeqlensQ[r] = token;
            _batch.HostSeqLens[r] = row.SeqLen;
            row.Request.Tokens[row.PrefixLen..row.SeqLen].CopyTo(ids.Host[token..]);
            for (int i = 0; i < row.QueryLen; i++) positions.Host[token + i] = row.PrefixLen + i;
            token += row.QueryLen;
            _rowEnds[_rowOrder[r]] = token;
        }

        // A row of padding is a sequence of one token whose key lies in the null block.
        ids.Host[token..].Clear();
        positions.Host[token..].Clear();
        for (int r = rows.Length; r < numRows; r++)
        {
            _batch.HostCuSeqlensQ[r] = token++;
            _batch.HostSeqLens[r] = 1;
        }

        _batch.HostCuSeqlensQ[numRows] = token;
        _batch.CuSeqlensQHost.CopyTo(offsets.Host);
        _batch.SeqLensHost.CopyTo(lengths.Host);
        _batch.InputIds = ids.View;
        _batch.Positions = positions.View;
        _batch.CuSeqlensQ = offsets.View;
        _batch.SeqLens = lengths.View;
    }

    private void BuildLogitRows(ReadOnlySpan<ScheduledRow> rows, int numPadded, int numLogitRows)
    {
        BatchTensor<int> logitRows = _memory.Take<int>(DType.I32, numLogitRows);
        int logitRow = 0;
        for (int r = 0; r < rows.Length; r++)
        {
            for (int i = rows[r].NumLogitRows; i > 0; i--) logitRows.Host[logitRow++] = _rowEnds[r] - i;
        }

        for (int i = numPadded; i > 0; i--) logitRows.Host[logitRow++] = _batch.NumTokens - i;
        _batch.LogitRows = logitRows.View;
    }

    private void BuildGroup(ReadOnlySpan<ScheduledRow> rows, int g, int numPadded, StepBounds? bounds)
    {
        int blockSize = _groups[g].BlockSize;
        int width = bounds is { } fixedBounds ? _groups[g].NumBlocksFor(fixedBounds.MaxSeqLen) : 1;
        foreach (ref readonly ScheduledRow row in rows) width = Math.Max(width, row.Request.Blocks.Table(g).Length);
        if (width > _maxTableWidths[g])
            throw new InvalidOperationException($"A request of group {g} has {width} blocks; the batch was planned for {_maxTableWidths[g]}.");

        int numRows = rows.Length + numPadded;
        BatchTensor<long> slots = _memory.Take<long>(DType.I64, _batch.NumTokens);
        BatchTensor<int> tables = _memory.Take<int>(DType.I32, numRows * width);
        int token = 0;
        for (int r = 0; r < rows.Length; r++)
        {
            ref readonly ScheduledRow row = ref rows[_rowOrder[r]];
            ReadOnlySpan<int> table = row.Request.Blocks.Table(g);
            table.CopyTo(tables.Host[(r * width)..]);
            tables.Host.Slice((r * width) + table.Length, width - table.Length).Clear();
            for (int position = row.PrefixLen; position < row.SeqLen;)
            {
                int index = position / blockSize;
                int end = Math.Min(row.SeqLen, (index + 1) * blockSize);
                Span<long> run = slots.Host.Slice(token, end - position);
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

        slots.Host[token..].Fill(PadSlot);
        tables.Host[(rows.Length * width)..].Clear();
        ForwardBatchGroup group = _batch.HostGroups[g];
        group.SlotMapping = slots.View;
        group.BlockTable = tables.View.Reshape(numRows, width);
    }

    /// <summary>Stable by region: decode (one new token on a context), extend, prefill. Rows of padding follow decode rows and count as such.</summary>
    private void Order(ReadOnlySpan<ScheduledRow> rows, int numPadded)
    {
        if (rows.Length + numPadded > _limits.MaxNumRows)
            throw new InvalidOperationException($"A step has {rows.Length + numPadded} rows; the batch was planned for {_limits.MaxNumRows}.");
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

        _batch.NumDecodes = counts[0] + numPadded;
        _batch.NumExtends = counts[1];
        Span<int> next = [0, counts[0], counts[0] + counts[1]];
        for (int i = 0; i < rows.Length; i++) _rowOrder[next[_regions[i]]++] = i;
    }

    // A row without context is a prefill whatever its length: an extend row always has something to merge with.
    private int Region(in ScheduledRow row) => row.PrefixLen == 0 ? 2 : row.QueryLen <= _decodeThreshold ? 0 : 1;
}
