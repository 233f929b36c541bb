using System.Runtime.CompilerServices;
using Rocm.Inference.Devices.Cpu.Panels;

namespace Rocm.Inference.Devices.Cpu;

/// <summary>
/// y = x · Wᵀ over panels. One kernel for every number of rows: work items are (panel, chunk of rows); within an item k goes in blocks that fit
/// the nearest caches and sums stay in a small tile. With one row that is one pass over the panel: a sequential stream of weights.
/// Rows of x are first copied block by block into a padded buffer, because rows at a power-of-two stride evict each other from the L1 cache.
/// </summary>
internal sealed unsafe partial class CpuKernels<TSimd, TVector>
{
    private const int KBlock = 512;
    private const int PackedStride = KBlock + 16;
    private const int RowBlock = 512;
    private const int RowChunk = 128;
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
            PanelBytes = panels.PanelBytes,
            NumPanels = panels.NumPanels,
            Bias = panels.Bias,
            Accumulate = accumulate,
        };
        int blockRows = Math.Min(job.Rows, RowBlock);
        bool alone = (long)job.Rows * weight.InputFeatures * weight.OutputFeatures < LinearSharedFrom;
        using Lock.Scope turn = crew.Enter();
        crew.ReserveScratch(RowChunk * Panel.Width * sizeof(float));
        if (job.Rows > 1 || (input.Columns & 1) != 0)
        {
            int kBlocks = (input.Columns + KBlock - 1) / KBlock;
            job.Packed = (float*)crew.SharedScratch((long)kBlocks * blockRows * PackedStride * sizeof(float));
            job.PackedBlock = (long)blockRows * PackedStride;
        }

        switch (panels.Format)
        {
            case PanelFormat.BF16:
                crew.Run(&MultiplyPanels<Bf16Panel<TSimd, TVector>>, &job, alone);
                break;
            case PanelFormat.F16:
                crew.Run(&MultiplyPanels<F16Panel<TSimd, TVector>>, &job, alone);
                break;
            default:
                crew.Run(&MultiplyPanels<F32Panel<TSimd, TVector>>, &job, alone);
                break;
        }
    }

    private static void MultiplyPanels<TPanel>(CpuCrew crew, int worker, LinearJob* job)
        where TPanel : IPanelReader<TSimd, TVector>
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
                MultiplyChunk<TPanel>(job, panel, row, first, Math.Min(RowChunk, rows - first), sums);
            }

            done = end;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PackRows(LinearJob* job, int row, int rows, int worker, int workers)
    {
        int columns = job->X.Columns;
        for (int r = rows * worker / workers; r < rows * (worker + 1) / workers; r++)
        {
            float* source = job->X.Row(row + r);
            float* target = job->Packed + ((long)r * PackedStride);
            for (int k = 0; k < columns; k += KBlock, target += job->PackedBlock)
            {
                int count = Math.Min(KBlock, columns - k);
                new ReadOnlySpan<float>(source + k, count).CopyTo(new Span<float>(target, count));
                if ((count & 1) != 0) target[count] = 0;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void MultiplyChunk<TPanel>(LinearJob* job, int panel, int row, int first, int rows, float* sums)
        where TPanel : IPanelReader<TSimd, TVector>
    {
        int columns = job->X.Columns;
        byte* b = job->Panels + (panel * job->PanelBytes);
        for (int k = 0; k < columns; k += KBlock)
        {
            int pairs = (Math.Min(KBlock, columns - k) + 1) / 2;
            float* a = job->Packed != null
                ? job->Packed + (k / KBlock * job->PackedBlock) + ((long)first * PackedStride)
                : job->X.Row(row) + k;
            PanelTile<TSimd, TVector, TPanel>.Multiply(rows, pairs, a, PackedStride, b, sums, Panel.Width, k != 0);
            b += (long)pairs * TPanel.PairBytes;
        }

        int column = panel * Panel.Width;
        int count = Math.Min(Panel.Width, job->Y.Columns - column);
        float* bias = job->Bias == null ? null : job->Bias + column;
        for (int r = 0; r < rows; r++) StoreSums(sums + (r * Panel.Width), bias, job->Y.Row(row + first + r) + column, count, job->Accumulate);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void StoreSums(float* sums, float* bias, float* y, int count, bool accumulate)
    {
        int i = 0;
        for (; i + TSimd.Count <= count; i += TSimd.Count)
        {
            TVector value = TSimd.Load(sums + i);
            if (bias != null) value = TSimd.Add(value, TSimd.Load(bias + i));
            if (accumulate) value = TSimd.Add(TSimd.Load(y + i), value);
            TSimd.Store(value, y + i);
        }

        for (; i < count; i++)
        {
            float value = sums[i];
            if (bias != null) value += bias[i];
            y[i] = accumulate ? y[i] + value : value;
        }
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
