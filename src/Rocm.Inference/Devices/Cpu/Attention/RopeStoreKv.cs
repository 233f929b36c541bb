using System.Runtime.CompilerServices;

namespace Rocm.Inference.Devices.Cpu.Attention;

/// <summary>Rotates q and k in place and writes K and V to their slots in any layout, rounding to nearest even. One pass per token.</summary>
internal sealed unsafe partial class CpuAttentionKernels<TSimd, TVector>
{
    // Elements from which tokens are shared out over the crew.
    private const long RopeSharedFrom = 32 * 1024;

    public void RopeStoreKv(DeviceContext context, in RopeStoreKvArgs args)
    {
        bool latent = args.Cache.Layout == KvLayoutKind.MlaLatent;
        CacheTensor keys = CacheTensor.Key(args.Cache), values = latent ? default : CacheTensor.Value(args.Cache);
        if (args.Value.IsAbsent || args.Value.Rank != 3) throw new ArgumentException($"Expected F32[tokens, KV heads, head dim], found {args.Value}.", nameof(args));
        if (!latent && (values.NumBlocks != keys.NumBlocks || values.NumHeads != keys.NumHeads))
            throw new ArgumentException($"K and V have different blocks or heads: {args.Cache.Key} and {args.Cache.Value}.", nameof(args));
        long tokens = args.Value.Dim(0);
        long dim = latent ? keys.Dim - args.Value.Dim(2) : keys.Dim;
        if (dim < 0) throw new ArgumentException($"{args.Value} does not fit rows of {keys.Dim}.", nameof(args));
        CheckHeads(args.Value, tokens, keys.NumHeads, latent ? args.Value.Dim(2) : values.Dim, nameof(args.Value));
        bool hasKeys = dim > 0;
        if (hasKeys)
        {
            CheckHeads(args.Query, tokens, args.Query.IsAbsent || args.Query.Rank != 3 ? 1 : args.Query.Dim(1), dim, nameof(args.Query));
            CheckHeads(args.Key, tokens, keys.NumHeads, dim, nameof(args.Key));
        }

        if (args.Rope is { } rope && (rope.RotaryDim > dim || (rope.RotaryDim & 1) != 0))
            throw new ArgumentException($"A rotary dimension of {rope.RotaryDim} does not fit heads of {dim}.", nameof(args));
        if (args.SlotMapping.DType != DType.I64 || args.SlotMapping.Count < tokens || !args.SlotMapping.IsContiguous)
            throw new ArgumentException($"Expected a slot mapping of {tokens} i64, found {args.SlotMapping}.", nameof(args));

        var job = new RopeJob
        {
            Tokens = tokens,
            Query = hasKeys ? CpuOperand.Of(args.Query) : default,
            Key = hasKeys ? CpuOperand.Of(args.Key) : default,
            Value = CpuOperand.Of(args.Value),
            Positions = CpuOperand.Indices(args.Positions, tokens),
            Slots = (long*)args.SlotMapping.Address,
            KeyCache = keys,
            ValueCache = values,
            IsLatent = latent,
            RoundsInputs = args.RoundsInputs,
        };
        if (args.Rope is { } table)
        {
            job.CosSin = (float*)table.CosSin.Address;
            job.NumPositions = table.Positions;
            job.RotaryDim = table.RotaryDim;
            job.Interleaved = table.Interleaved;
        }

        crew.Run(&RotateAndStore, &job, tokens * ((job.Query.Inner * dim) + (keys.NumHeads * (long)keys.Dim)) < RopeSharedFrom);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void RotateAndStore(CpuCrew crew, int worker, RopeJob* job)
    {
        long first = job->Tokens * worker / crew.ActiveThreads;
        long end = job->Tokens * (worker + 1) / crew.ActiveThreads;
        long capacity = job->KeyCache.NumSlots;
        for (long t = first; t < end; t++)
        {
            long slot = job->Slots[t];
            if (slot < -1 || slot >= capacity)
                throw new ArgumentOutOfRangeException(nameof(job), slot, $"Slots must be in [0, {capacity}), or -1 for padding.");
            if (job->CosSin != null) RotateToken(job, t, isPadding: slot < 0);
            if (slot < 0) continue;
            (long block, long offset) = Math.DivRem(slot, job->KeyCache.BlockSize);
            if (job->IsLatent)
            {
                StoreLatent(job, t, job->KeyCache.At(block, (int)offset, 0));
                continue;
            }

            for (int head = 0; head < job->KeyCache.NumHeads; head++)
            {
                CacheElements<TSimd, TVector>.Store(
                    Head(job->Key, t, head), job->KeyCache, job->KeyCache.At(block, (int)offset, head), job->KeyCache.Scale(head), job->RoundsInputs);
                CacheElements<TSimd, TVector>.Store(
                    Head(job->Value, t, head), job->ValueCache, job->ValueCache.At(block, (int)offset, head), job->ValueCache.Scale(head), job->RoundsInputs);
            }
        }
    }

    /// <summary>One row: the latent, then the rotary key.</summary>
    private static void StoreLatent(RopeJob* job, long t, byte* row)
    {
        float scale = job->KeyCache.Scale(0);
        int rank = job->Value.Columns;
        CacheElements<TSimd, TVector>.Store(Head(job->Value, t, 0), job->KeyCache, row, rank, scale, job->RoundsInputs);
        if (job->Key.Columns == 0) return;
        byte* rest = row + ((long)rank * job->KeyCache.ElementBytes);
        CacheElements<TSimd, TVector>.Store(Head(job->Key, t, 0), job->KeyCache, rest, job->Key.Columns, scale, job->RoundsInputs);
    }

    private static float* Head(in CpuOperand operand, long token, int head) =>
        operand.Address + (token * operand.OuterStride) + (head * operand.InnerStride);

    private static void RotateToken(RopeJob* job, long t, bool isPadding)
    {
        int position = job->Positions[t];
        if ((uint)position >= (uint)job->NumPositions && isPadding) return;
        if ((uint)position >= (uint)job->NumPositions)
            throw new ArgumentOutOfRangeException(nameof(job), position, $"The rope table has {job->NumPositions} positions.");
        float* cos = job->CosSin + ((long)position * job->RotaryDim);
        int half = job->RotaryDim / 2;
        for (int head = 0; head < job->Query.Inner; head++) Rotate(Head(job->Query, t, head), cos, cos + half, half, job->Interleaved);
        for (int head = 0; head < job->Key.Inner; head++) Rotate(Head(job->Key, t, head), cos, cos + half, half, job->Interleaved);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Rotate(float* x, float* cos, float* sin, int half, bool interleaved)
    {
        if (interleaved)
        {
            RotatePairs(x, cos, sin, half);
            return;
        }

        int j = 0;
        for (; j + TSimd.Count <= half; j += TSimd.Count)
        {
            TVector a = TSimd.Load(x + j), b = TSimd.Load(x + half + j), c = TSimd.Load(cos + j), s = TSimd.Load(sin + j);
            TSimd.Store(TSimd.Subtract(TSimd.Multiply(a, c), TSimd.Multiply(b, s)), x + j);
            TSimd.Store(TSimd.Add(TSimd.Multiply(b, c), TSimd.Multiply(a, s)), x + half + j);
        }

        for (; j < half; j++)
        {
            float a = x[j], b = x[half + j];
            x[j] = (a * cos[j]) - (b * sin[j]);
            x[half + j] = (b * cos[j]) + (a * sin[j]);
        }
    }

    /// <summary>Rotates elements (2i, 2i + 1).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void RotatePairs(float* x, float* cos, float* sin, int half)
    {
        float* signs = stackalloc float[16];
        for (int i = 0; i < 16; i += 2) (signs[i], signs[i + 1]) = (-1, 1);
        TVector sign = TSimd.Load(signs);
        int j = 0;
        for (; j + (TSimd.Count / 2) <= half; j += TSimd.Count / 2)
        {
            TVector pairs = TSimd.Load(x + (2 * j));
            TVector c = TSimd.LoadTwice(cos + j), s = TSimd.Multiply(TSimd.LoadTwice(sin + j), sign);
            TSimd.Store(TSimd.Add(TSimd.Multiply(pairs, c), TSimd.Multiply(TSimd.SwapPairs(pairs), s)), x + (2 * j));
        }

        for (; j < half; j++)
        {
            float a = x[2 * j], b = x[(2 * j) + 1];
            x[2 * j] = (a * cos[j]) - (b * sin[j]);
            x[(2 * j) + 1] = (b * cos[j]) + (a * sin[j]);
        }
    }

    private struct RopeJob
    {
        public long Tokens;
        public CpuOperand Query;
        public CpuOperand Key;
        public CpuOperand Value;
        public int* Positions;
        public long* Slots;
        public float* CosSin;
        public int NumPositions;
        public int RotaryDim;
        public bool Interleaved;
        public CacheTensor KeyCache;
        public CacheTensor ValueCache;
        public bool IsLatent;
        public bool RoundsInputs;
    }
}
