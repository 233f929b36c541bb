using System.Runtime.CompilerServices;

namespace Rocm.Inference.Devices.Cpu.Attention;

/// <summary>Copies stretches of cached context of any layout and type into contiguous rows of floats. Keys are shared out over the crew.</summary>
internal sealed unsafe partial class CpuAttentionKernels<TSimd, TVector>
{
    // Elements from which keys are shared out.
    private const long GatherSharedFrom = 32 * 1024;

    public void GatherKv(DeviceContext context, in GatherKvArgs args)
    {
        bool latent = args.Cache.Layout == KvLayoutKind.MlaLatent;
        CacheTensor keys = CacheTensor.Key(args.Cache), values = latent ? default : CacheTensor.Value(args.Cache);
        if (args.NumRows == 0) return;
        if (args.BlockTable.IsAbsent || args.BlockTable.DType != DType.I32 || args.BlockTable.Rank != 2 || args.BlockTable.Dim(0) < args.NumRows)
            throw new ArgumentException($"Expected a block table of {args.NumRows} rows of i32, found {args.BlockTable}.", nameof(args));
        int* offsets = CpuOperand.Indices(args.CuSeqlensK, args.NumRows + 1L, nameof(args.CuSeqlensK));
        int* positions = CpuOperand.Indices(args.KeyPositions, args.NumRows, nameof(args.KeyPositions));
        for (int r = 0; r < args.NumRows; r++)
        {
            if (offsets[r] < 0 || offsets[r + 1] < offsets[r] || positions[r] < 0)
                throw new ArgumentException($"Row {r}: keys [{offsets[r]}, {offsets[r + 1]}) from position {positions[r]} on.", nameof(args));
        }

        int end = offsets[args.NumRows];
        CheckTarget(args.Key, end, keys, nameof(args.Key));
        if (!latent) CheckTarget(args.Value, end, values, nameof(args.Value));
        var job = new GatherJob
        {
            Keys = keys,
            Values = values,
            IsLatent = latent,
            BlockTable = (int*)args.BlockTable.Address,
            BlockTableStride = args.BlockTable.Stride(0),
            NumTableEntries = (int)args.BlockTable.Dim(1),
            Offsets = offsets,
            Positions = positions,
            NumRows = args.NumRows,
            Key = CpuOperand.Of(args.Key),
            Value = latent ? default : CpuOperand.Of(args.Value),
        };
        crew.Run(&Gather, &job, (end - (long)offsets[0]) * keys.NumHeads * (keys.Dim + values.Dim) < GatherSharedFrom);
    }

    private static void CheckTarget(TensorView view, long rows, in CacheTensor cache, string name)
    {
        if (view.IsAbsent || view.Rank != 3 || view.Dim(0) < rows)
            throw new ArgumentException($"Expected F32[at least {rows}, {cache.NumHeads}, {cache.Dim}], found {view}.", name);
        CheckHeads(view, view.Dim(0), cache.NumHeads, cache.Dim, name);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Gather(CpuCrew crew, int worker, GatherJob* job)
    {
        long from = job->Offsets[0], all = job->Offsets[job->NumRows] - from;
        long first = from + (all * worker / crew.ActiveThreads), end = from + (all * (worker + 1) / crew.ActiveThreads);
        int row = 0, unit = UnitTokens(job);
        long valuesEnd = first;
        for (long t = first; t < end; t++)
        {
            while (t >= job->Offsets[row + 1]) row++;
            (int index, int offset) = Math.DivRem(job->Positions[row] + (int)(t - job->Offsets[row]), job->Keys.BlockSize);
            int block = index < job->NumTableEntries ? job->BlockTable[(row * job->BlockTableStride) + index] : -1;
            if ((uint)block >= (ulong)job->Keys.NumBlocks)
                throw new InvalidOperationException($"Entry {index} of row {row} of the block table is {block} of {job->Keys.NumBlocks} blocks: the table is wrong.");
            bool byUnit = unit > 0 && t >= valuesEnd && offset % unit == 0 && t + unit <= Math.Min(end, job->Offsets[row + 1]);
            if (byUnit)
            {
                for (int head = 0; head < job->Keys.NumHeads; head++)
                {
                    float* target = Head(job->Value, t, head);
                    ValueColumns<TSimd, TVector>.Load(
                        job->Values.At(block, offset, head), (nint)job->Values.RunBytes, job->Values.Dim, job->Values.DType, target, (nint)(Head(job->Value, t + 1, head) - target));
                }

                valuesEnd = t + unit;
            }

            for (int head = 0; head < job->Keys.NumHeads; head++)
            {
                CacheElements<TSimd, TVector>.Load(job->Keys, job->Keys.At(block, offset, head), Head(job->Key, t, head), job->Keys.Scale(head));
                if (job->IsLatent || t < valuesEnd) continue;
                CacheElements<TSimd, TVector>.Load(job->Values, job->Values.At(block, offset, head), Head(job->Value, t, head), job->Values.Scale(head));
            }
        }
    }

    /// <summary>Tokens whose V is copied together where they lie side by side, 16 bytes of each channel; 0 where it is copied token by token.</summary>
    private static int UnitTokens(GatherJob* job)
    {
        const int UnitBytes = 16, Channels = 16;
        ref readonly CacheTensor values = ref job->Values;
        if (job->IsLatent || values.Run == values.Dim || values.DType.IsFloat8() || values.Dim % Channels != 0) return 0;
        int tokens = UnitBytes / values.ElementBytes;
        return values.BlockSize % tokens == 0 ? tokens : 0;
    }

    private struct GatherJob
    {
        public CacheTensor Keys;
        public CacheTensor Values;
        public bool IsLatent;
        public int* BlockTable;
        public long BlockTableStride;
        public int NumTableEntries;
        public int* Offsets;
        public int* Positions;
        public int NumRows;
        public CpuOperand Key;
        public CpuOperand Value;
    }
}
