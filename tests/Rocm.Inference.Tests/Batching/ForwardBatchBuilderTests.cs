using Rocm.Inference.Batching;
using Rocm.Inference.Devices.Cpu;
using Rocm.Inference.KvCache;
using Rocm.Inference.Scheduling;
using Xunit;

namespace Rocm.Inference.Tests.Batching;

public sealed class ForwardBatchBuilderTests : IDisposable
{
    private const int BlockSize = 4;

    private readonly CpuDevice _device = new(new CpuDeviceOptions { NumThreads = 1 });
    private readonly DeviceContext _context;
    private readonly KvCacheGroup[] _groups = [new(0, BlockSize), new(1, BlockSize, slidingWindow: 6)];
    private readonly Scheduler _scheduler;

    public ForwardBatchBuilderTests()
    {
        _context = _device.CreateContext(1 << 16);
        var options = new SchedulerOptions { MaxNumBatchedTokens = 16, MaxNumRequests = 8, MaxModelLen = 64 };
        _scheduler = new Scheduler(options, new KvCacheManager(64, _groups));
    }

    public void Dispose()
    {
        _context.Dispose();
        _device.Dispose();
    }

    [Fact]
    public void Tokens_positions_offsets_and_lengths_follow_the_rows()
    {
        using ForwardBatchBuilder builder = Builder(BatchOrder.Any);
        _scheduler.Add(new Request("a", [10, 11, 12], 5));
        _scheduler.Add(new Request("b", [20, 21], 5));

        ForwardBatch batch = builder.Build(_context, _scheduler.Schedule());

        Assert.Equal([10, 11, 12, 20, 21], batch.InputIds.AsSpan<int>().ToArray());
        Assert.Equal([0, 1, 2, 0, 1], batch.Positions.AsSpan<int>().ToArray());
        Assert.Equal([0, 3, 5], batch.CuSeqlensQ.AsSpan<int>().ToArray());
        Assert.Equal([3, 2], batch.SeqLens.AsSpan<int>().ToArray());
        Assert.Equal([2, 4], batch.LogitRows.AsSpan<int>().ToArray());
        Assert.Equal(batch.CuSeqlensQ.AsSpan<int>().ToArray(), batch.CuSeqlensQHost.ToArray());
        Assert.Equal(batch.SeqLens.AsSpan<int>().ToArray(), batch.SeqLensHost.ToArray());
        Assert.Equal((5, 2, 2, 3, 3), (batch.NumTokens, batch.NumRows, batch.NumLogitRows, batch.MaxQueryLen, batch.MaxSeqLen));
    }

    [Fact]
    public void A_slot_is_the_block_of_its_position_and_the_offset_in_it()
    {
        using ForwardBatchBuilder builder = Builder(BatchOrder.Any);
        var request = new Request("a", [1, 2, 3, 4, 5, 6], 5);
        _scheduler.Add(request);

        ForwardBatch batch = builder.Build(_context, _scheduler.Schedule());

        for (int group = 0; group < 2; group++)
        {
            int[] table = request.Blocks.Table(group).ToArray();
            Assert.Equal(Enumerable.Range(0, 6).Select(p => (long)table[p / BlockSize] * BlockSize + p % BlockSize), batch.Groups[group].SlotMapping.AsSpan<long>().ToArray());
            Assert.Equal(table, batch.Groups[group].BlockTable.AsSpan<int>().ToArray());
        }
    }

    [Fact]
    public void A_piece_of_a_prompt_that_is_not_its_last_wants_no_logits()
    {
        using ForwardBatchBuilder builder = Builder(BatchOrder.Any);
        _scheduler.Add(new Request("long", [.. Enumerable.Range(0, 20)], 5));

        ForwardBatch batch = builder.Build(_context, _scheduler.Schedule());

        Assert.Equal(16, batch.NumTokens);
        Assert.Equal(0, batch.NumLogitRows);
    }

    [Fact]
    public void Rows_are_laid_out_decode_extend_prefill_and_logit_rows_keep_the_steps_order()
    {
        using ForwardBatchBuilder builder = Builder(BatchOrder.DecodeExtendPrefill);
        _scheduler.Add(new Request("long", [.. Enumerable.Range(100, 18)], 5));
        Run(_scheduler.Schedule());
        _scheduler.Add(new Request("decode", [1, 2], 5));
        _scheduler.Add(new Request("fresh", [7], 5));
        ScheduledStep second = _scheduler.Schedule();

        // The running request extends; the two new ones prefill. A fresh prompt of one token is a prefill: it has no context to merge with.
        ForwardBatch batch = builder.Build(_context, second);
        Assert.Equal((0, 1), (batch.NumDecodes, batch.NumExtends));
        Assert.Equal([116, 117, 1, 2, 7], batch.InputIds.AsSpan<int>().ToArray());
        Run(second);

        ScheduledStep third = _scheduler.Schedule();
        batch = builder.Build(_context, third);
        Assert.Equal((3, 0), (batch.NumDecodes, batch.NumExtends));
        Assert.Equal(Enumerable.Range(0, 3), batch.LogitRows.AsSpan<int>().ToArray());
        Run(third);

        _scheduler.Add(new Request("new", [50, 51, 52], 5));
        ScheduledStep fourth = _scheduler.Schedule();
        batch = builder.Build(_context, fourth);
        Assert.Equal((3, 0), (batch.NumDecodes, batch.NumExtends));
        Assert.Equal([0, 1, 2, 5], batch.LogitRows.AsSpan<int>().ToArray());
    }

    [Theory]
    [InlineData(BatchOrder.Any, 0)]
    [InlineData(BatchOrder.DecodeExtendPrefill, 4)]
    public void Rows_of_padding_see_one_token_of_the_null_block_and_store_nothing(BatchOrder order, int numDecodes)
    {
        using ForwardBatchBuilder builder = Builder(order);
        _scheduler.Add(new Request("a", [1, 2, 3], 40));
        _scheduler.Add(new Request("b", [4], 40));
        Run(_scheduler.Schedule());

        ForwardBatch batch = builder.Build(_context, _scheduler.Schedule(), new StepBounds(NumRows: 4, MaxSeqLen: 32));

        Assert.Equal([9, 9, 0, 0], batch.InputIds.AsSpan<int>().ToArray());
        Assert.Equal([3, 1, 0, 0], batch.Positions.AsSpan<int>().ToArray());
        Assert.Equal([0, 1, 2, 3, 4], batch.CuSeqlensQ.AsSpan<int>().ToArray());
        Assert.Equal([4, 2, 1, 1], batch.SeqLens.AsSpan<int>().ToArray());
        Assert.Equal([0, 1, 2, 3], batch.LogitRows.AsSpan<int>().ToArray());
        Assert.Equal(batch.SeqLens.AsSpan<int>().ToArray(), batch.SeqLensHost.ToArray());
        Assert.Equal((4, 4, 4, 1, 32), (batch.NumTokens, batch.NumRows, batch.NumLogitRows, batch.MaxQueryLen, batch.MaxSeqLen));
        Assert.Equal((numDecodes, 0), (batch.NumDecodes, batch.NumExtends));
        foreach (ForwardBatchGroup group in batch.Groups)
        {
            Assert.Equal([-1L, -1L], group.SlotMapping.AsSpan<long>()[2..].ToArray());
            Assert.Equal(32 / BlockSize, group.BlockTable.Dim(1));
            Assert.Equal(new int[2 * 32 / BlockSize], group.BlockTable.AsSpan<int>()[(2 * 32 / BlockSize)..].ToArray());
        }
    }

    [Fact]
    public void Steps_of_equal_bounds_find_their_tensors_at_equal_addresses()
    {
        using ForwardBatchBuilder builder = Builder(BatchOrder.Any);
        var bounds = new StepBounds(NumRows: 4, MaxSeqLen: 32);
        _scheduler.Add(new Request("a", [1, 2, 3], 40));
        Run(_scheduler.Schedule());
        ScheduledStep step = _scheduler.Schedule();
        long[] first = Addresses(builder.Build(_context, step, bounds));
        Run(step);
        _scheduler.Add(new Request("b", [4, 5, 6, 7, 8, 9], 40));
        Run(_scheduler.Schedule());

        Assert.Equal(first, Addresses(builder.Build(_context, _scheduler.Schedule(), bounds)));

        static long[] Addresses(ForwardBatch batch) =>
        [
            batch.InputIds.Address, batch.Positions.Address, batch.CuSeqlensQ.Address, batch.SeqLens.Address, batch.LogitRows.Address,
            .. batch.Groups.SelectMany(group => new long[] { group.SlotMapping.Address, group.BlockTable.Address }),
        ];
    }

    [Fact]
    public void Building_a_step_allocates_nothing()
    {
        using ForwardBatchBuilder builder = Builder(BatchOrder.Any);
        _scheduler.Add(new Request("a", [1, 2, 3], 40));
        Run(_scheduler.Schedule());
        ScheduledStep step = _scheduler.Schedule();
        builder.Build(_context, step);

        long before = GC.GetAllocatedBytesForCurrentThread();
        builder.Build(_context, step);

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private ForwardBatchBuilder Builder(BatchOrder order) => new(_device, _groups, order, new BatchLimits(16, 8, 64));

    private void Run(ScheduledStep step) =>
        _scheduler.Complete(step, [.. Enumerable.Repeat(9, step.Rows.Length)], new bool[step.Rows.Length]);
}
