using Rocm.Inference.Devices.Cpu.Panels;

namespace Rocm.Inference.Devices.Cpu;

/// <summary>
/// y = x · Wᵀ over panels. One kernel for every number of rows: work items are (panel, chunk of rows); within an item k goes in blocks that fit
/// the nearest caches and sums stay in a small tile. With one row that is one pass over the panel: a sequential stream of weights.
/// Rows of x are first copied block by block into a padded buffer, because rows at a power-of-two stride evict each other from the L1 cache.
/// </summary>
internal sealed unsafe partial class CpuKernels<TSimd, TVector>
{
    private const int RowBlock = 512;
    private const long LinearSharedFrom = 64 * 1024;

    public void Linear(DeviceContext context, TensorView x, PackedWeight weight, TensorView y, bool accumulate = false)
    {
        if (weight is not PanelWeight panels)
            throw new ArgumentException($"The weight was packed by another device ({weight.GetType().Name}).", nameof(weight));
        CpuOperand input = CpuOperand.Of(x), output = CpuOperand.Of(y);
        input.Expect(output.Rows, weight.InputFeatures);
        output.Expect(input.Rows, weight.OutputFeatures);
        if (input.Rows == 0) return;

        var job = new LinearJob
        {
            X = input,
            Y = output,
            Rows = checked((int)input.Rows),
            Panels = panels.Panels,
            PanelBytes = panels.Layout.PanelBytes,
            NumPanels = panels.Layout.NumPanels,
            Bias = panels.Bias,
            Accumulate = accumulate,
        };
        int blockRows = Math.Min(job.Rows, RowBlock);
        bool alone = (long)job.Rows * weight.InputFeatures * weight.OutputFeatures < LinearSharedFrom;
        using Lock.Scope turn = crew.Enter();
        crew.ReserveScratch(ProductScratch);
        if (job.Rows > 1 || input.Columns % PackedAlignment != 0)
        {
            int kBlocks = (input.Columns + KBlock - 1) / KBlock;
            job.Packed = (float*)crew.SharedScratch((long)kBlocks * blockRows * PackedStride * sizeof(float));
            job.PackedBlock = (long)blockRows * PackedStride;
        }

        crew.Run(MultiplyPanelsOf(panels.Layout.Format), &job, alone);
    }

    private static delegate*<CpuCrew, int, LinearJob*, void> MultiplyPanelsOf(PanelFormat format) => format switch
    {
        PanelFormat.BF16 => &MultiplyPanels<PlainPanelProduct<TSimd, TVector, Bf16Panel<TSimd, TVector>>>,
        PanelFormat.F16 => &MultiplyPanels<PlainPanelProduct<TSimd, TVector, F16Panel<TSimd, TVector>>>,
        PanelFormat.F8E4M3 => &MultiplyPanels<ScaledPanelProduct<TSimd, TVector, F8E4M3Panel<TSimd, TVector>>>,
        PanelFormat.F8E5M2 => &MultiplyPanels<ScaledPanelProduct<TSimd, TVector, F8E5M2Panel<TSimd, TVector>>>,
        PanelFormat.F4E2M1 => &MultiplyPanels<ScaledPanelProduct<TSimd, TVector, F4E2M1Panel<TSimd, TVector>>>,
        _ => &MultiplyPanels<PlainPanelProduct<TSimd, TVector, F32Panel<TSimd, TVector>>>,
    };

    private static void MultiplyPanels<TProduct>(CpuCrew crew, int worker, LinearJob* job)
        where TProduct : IPanelProduct
    {
        float* sums = (float*)crew.Scratch(worker);
        int item = crew.Claim();
        int done = 0;
        for (int row = 0; row < job->Rows; row += RowBlock)
        {
            int rows = Math.Min(RowBlock, job->Rows - row);
            if (job->Packed != null)
            {
                if (row != 0) crew.Barrier();
                PackRows(job, row, rows, worker, crew.ActiveThreads);
                crew.Barrier();
            }

            // A thread may already hold an item of the next block; it keeps it until that block is packed.
            int chunks = (rows + RowChunk - 1) / RowChunk;
            int end = done + (job->NumPanels * chunks);
            for (; item < end; item = crew.Claim())
            {
                int panel = (item - done) / chunks;
                int first = (item - done) % chunks * RowChunk;
                MultiplyChunk<TProduct>(job, panel, row, first, Math.Min(RowChunk, rows - first), sums);
            }

            done = end;
        }
    }

    private static void PackRows(LinearJob* job, int row, int rows, int worker, int workers)
    {
        for (int r = rows * worker / workers; r < rows * (worker + 1) / workers; r++)
            PackRow(job->X.Row(row + r), job->X.Columns, job->Packed + ((long)r * PackedStride), job->PackedBlock);
    }

    private static void MultiplyChunk<TProduct>(LinearJob* job, int panel, int row, int first, int rows, float* sums)
        where TProduct : IPanelProduct
    {
        float* a = job->X.Row(row);
        long blockStride = KBlock;
        if (job->Packed != null)
        {
            a = job->Packed + ((long)first * PackedStride);
            blockStride = job->PackedBlock;
        }

        MultiplyPanel<TProduct>(rows, job->X.Columns, a, PackedStride, blockStride, job->Panels + (panel * job->PanelBytes), sums);
        int column = panel * Panel.Width;
        int count = Math.Min(Panel.Width, job->Y.Columns - column);
        float* bias = job->Bias == null ? null : job->Bias + column;
        for (int r = 0; r < rows; r++) StoreSums(sums + (r * Panel.Width), bias, job->Y.Row(row + first + r) + column, count, job->Accumulate);
    }

    private struct LinearJob
    {
        public CpuOperand X;
        public CpuOperand Y;
        public int Rows;
        public byte* Panels;
        public long PanelBytes;
        public int NumPanels;
        public float* Bias;
        public bool Accumulate;

        /// <summary>[k blocks, rows of a block, PackedStride], or null when x is read in place.</summary>
        public float* Packed;
        public long PackedBlock;
    }
}
