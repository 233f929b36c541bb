using Rocm.Inference.Devices.Cpu.Panels;

namespace Rocm.Inference.Devices.Cpu;

/// <summary>
/// Products in which ranges of rows have weights of their own (experts, heads). Rows are numbered in the order of their weights. They go in
/// blocks: the crew copies a block's rows into the padded buffer, then shares out the items (range of rows of one weight, some panels, chunk of rows).
/// So a few rows still keep every thread busy, many rows of one weight use the widest register tiles, and weights without rows have no items.
/// A row's sums do not depend on the range that it is in: the tiles are those of <see cref="Linear"/>.
/// </summary>
internal sealed unsafe partial class CpuKernels<TSimd, TVector>
{
    /// <summary>Runs a job whose operands, weights and <see cref="GroupJob.Rows"/> are filled in.</summary>
    private void RunGroups(GroupJob* job, PanelWeightGroup weights, int* offsets)
    {
        PanelLayout layout = weights.Layout;
        job->Panels = weights.Panels;
        job->PanelBytes = layout.PanelBytes;
        job->NumPanels = layout.NumPanels;
        job->Bias = weights.Bias;
        int columns = layout.InputFeatures;
        int kBlocks = (columns + KBlock - 1) / KBlock;

        // Short rows lie closer together, so that more of them fit a block of the same memory: fewer barriers.
        job->PackedStride = Math.Min(KBlock, (columns + 15) / 16 * 16) + 16;
        long budget = 4L * RowBlock * PackedStride;
        long fitting = budget / ((long)kBlocks * job->PackedStride) / RowChunk * RowChunk;
        job->BlockRows = (int)Math.Min(job->Rows, Math.Max(RowBlock, fitting));
        job->PackedBlock = (long)job->BlockRows * job->PackedStride;

        job->PanelsPerItem = PanelsPerItem(layout, Math.Min(job->Rows, weights.Count));
        bool alone = (long)job->Rows * columns * layout.OutputFeatures < LinearSharedFrom;
        using Lock.Scope turn = crew.Enter();
        crew.ReserveScratch(ProductScratch);
        int blocks = (job->Rows + job->BlockRows - 1) / job->BlockRows;
        long packedBytes = kBlocks * job->PackedBlock * sizeof(float);
        var memory = (byte*)crew.SharedScratch(packedBytes + ((long)(weights.Count + blocks) * sizeof(GroupRun)));
        job->Packed = (float*)memory;
        job->Runs = (GroupRun*)(memory + packedBytes);
        job->NumRuns = ListRuns(job, weights.Count, offsets);
        crew.Run(MultiplyGroupsOf(layout.Format), job, alone);
    }

    /// <summary>
    /// Panels of a weight lie one after the other: an item of several short ones is one long stream, which the processor reads ahead of. There
    /// must still be enough items to keep every thread busy to the end.
    /// </summary>
    private int PanelsPerItem(PanelLayout layout, int members)
    {
        const long StreamBytes = 256 * 1024;
        const int ItemsPerThread = 16;
        long most = (long)members * layout.NumPanels / ((long)ItemsPerThread * crew.NumThreads);
        return (int)Math.Clamp(Math.Min(StreamBytes / layout.PanelBytes, most), 1, layout.NumPanels);
    }

    /// <summary>Cuts the rows where the weight changes and where a block ends.</summary>
    /// <returns>The number of runs; one more that ends the list follows.</returns>
    private static int ListRuns(GroupJob* job, int count, int* offsets)
    {
        GroupRun* run = job->Runs;
        int itemsOfChunk = (job->NumPanels + job->PanelsPerItem - 1) / job->PanelsPerItem;
        int item = 0;
        for (int member = 0; member < count; member++)
        {
            int end = offsets == null ? (member + 1) * job->RowsOfHead : offsets[member + 1];
            int row = offsets == null ? member * job->RowsOfHead : offsets[member];
            while (row < end)
            {
                int rows = Math.Min(end, (row / job->BlockRows * job->BlockRows) + job->BlockRows) - row;
                *run++ = new GroupRun { Member = member, FirstRow = row, Rows = rows, FirstItem = item };
                item = checked(item + (itemsOfChunk * Chunks(rows)));
                row += rows;
            }
        }

        *run = new GroupRun { FirstRow = job->Rows, FirstItem = item };
        return (int)(run - job->Runs);
    }

    private static int Chunks(int rows) => (rows + RowChunk - 1) / RowChunk;

    private static delegate*<CpuCrew, int, GroupJob*, void> MultiplyGroupsOf(PanelFormat format) => format switch
    {
        PanelFormat.BF16 => &MultiplyGroups<PlainPanelProduct<TSimd, TVector, Bf16Panel<TSimd, TVector>>>,
        PanelFormat.F16 => &MultiplyGroups<PlainPanelProduct<TSimd, TVector, F16Panel<TSimd, TVector>>>,
        PanelFormat.F8E4M3 => &MultiplyGroups<ScaledPanelProduct<TSimd, TVector, F8E4M3Panel<TSimd, TVector>>>,
        PanelFormat.F8E5M2 => &MultiplyGroups<ScaledPanelProduct<TSimd, TVector, F8E5M2Panel<TSimd, TVector>>>,
        PanelFormat.F4E2M1 => &MultiplyGroups<ScaledPanelProduct<TSimd, TVector, F4E2M1Panel<TSimd, TVector>>>,
        _ => &MultiplyGroups<PlainPanelProduct<TSimd, TVector, F32Panel<TSimd, TVector>>>,
    };

    private static void MultiplyGroups<TProduct>(CpuCrew crew, int worker, GroupJob* job)
        where TProduct : IPanelProduct
    {
        float* sums = (float*)crew.Scratch(worker);
        int item = crew.Claim();
        GroupRun* run = job->Runs, end = run;
        for (int block = 0; block < job->Rows; block += job->BlockRows)
        {
            int rows = Math.Min(job->BlockRows, job->Rows - block);
            if (block != 0) crew.Barrier();
            for (int r = rows * worker / crew.ActiveThreads; r < rows * (worker + 1) / crew.ActiveThreads; r++)
                PackRow(job->X.Row(job->Source(block + r)), job->X.Columns, job->Packed + ((long)r * job->PackedStride), job->PackedBlock);
            crew.Barrier();

            // A thread may already hold an item of the next block; it keeps it until that block is packed.
            while (end->FirstRow < block + rows) end++;
            for (; item < end->FirstItem; item = crew.Claim())
            {
                // Items are claimed in rising order.
                while (item >= run[1].FirstItem) run++;
                MultiplyItem<TProduct>(job, run, item - run->FirstItem, block, sums);
            }
        }
    }

    private static void MultiplyItem<TProduct>(GroupJob* job, GroupRun* run, int item, int block, float* sums)
        where TProduct : IPanelProduct
    {
        int chunks = Chunks(run->Rows);
        int panel = item / chunks * job->PanelsPerItem;
        int end = Math.Min(panel + job->PanelsPerItem, job->NumPanels);
        int first = item % chunks * RowChunk;
        int rows = Math.Min(RowChunk, run->Rows - first);
        int row = run->FirstRow + first;
        float* a = job->Packed + ((long)(row - block) * job->PackedStride);
        for (; panel < end; panel++)
        {
            byte* b = job->Panels + ((((long)run->Member * job->NumPanels) + panel) * job->PanelBytes);
            MultiplyPanel<TProduct>(rows, job->X.Columns, a, job->PackedStride, job->PackedBlock, b, sums);

            int column = panel * Panel.Width;
            int count = Math.Min(Panel.Width, job->Y.Columns - column);
            float* bias = job->Bias == null ? null : job->Bias + ((long)run->Member * job->Y.Columns) + column;
            for (int r = 0; r < rows; r++) StoreSums(sums + (r * Panel.Width), bias, job->Y.Row(job->Target(row + r)) + column, count, accumulate: false);
        }
    }

    /// <summary>Rows of one weight within one block.</summary>
    private struct GroupRun
    {
        public int Member;
        public int FirstRow;
        public int Rows;
        public int FirstItem;
    }

    private struct GroupJob
    {
        public CpuOperand X;
        public CpuOperand Y;
        public int Rows;

        /// <summary>Experts: the assignment at each row, or null when row i is row i of X.</summary>
        public int* Order;
        public int TopK;

        /// <summary>Heads: rows of each head, which are RowsOfHead · head + token; 0 for experts.</summary>
        public int RowsOfHead;
        public int NumHeads;

        public byte* Panels;
        public long PanelBytes;
        public int NumPanels;
        public int PanelsPerItem;
        public float* Bias;

        /// <summary>[k blocks, BlockRows, PackedStride].</summary>
        public float* Packed;
        public long PackedBlock;
        public int PackedStride;
        public int BlockRows;
        public GroupRun* Runs;
        public int NumRuns;

        public readonly long Source(int row) =>
            RowsOfHead != 0 ? HeadRow(row) : Order == null ? row : Order[row] / TopK;

        public readonly long Target(int row) => RowsOfHead != 0 ? HeadRow(row) : row;

        private readonly long HeadRow(int row) => ((long)(row % RowsOfHead) * NumHeads) + (row / RowsOfHead);
    }
}
