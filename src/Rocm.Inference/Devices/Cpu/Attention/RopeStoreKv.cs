using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Rocm.Inference.Devices.Cpu.Attention;

/// <summary>Rotates q and k in place and writes K and V rows to their slots, rounding to nearest even. One pass per token.</summary>
internal sealed unsafe partial class CpuAttentionKernels<TSimd, TVector>
{
    // Elements from which tokens are shared out over the crew.
    private const long RopeSharedFrom = 32 * 1024;

    public void RopeStoreKv(DeviceContext context, in RopeStoreKvArgs args)
    {
        CheckCache(args.Cache);
        long tokens = args.Query.Dim(0);
        long queryHeads = args.Query.Dim(1), kvHeads = args.Cache.Key.Dim(2), dim = args.Cache.Key.Dim(3);
        CheckHeads(args.Query, tokens, queryHeads, dim, nameof(args.Query));
        CheckHeads(args.Key, tokens, kvHeads, dim, nameof(args.Key));
        CheckHeads(args.Value, tokens, kvHeads, args.Cache.Value.Dim(3), nameof(args.Value));
        if (args.Rope is { } rope && (rope.RotaryDim > dim || (rope.RotaryDim & 1) != 0))
            throw new ArgumentException($"A rotary dimension of {rope.RotaryDim} does not fit heads of {dim}.", nameof(args));
        if (args.SlotMapping.DType != DType.I64 || args.SlotMapping.Count < tokens || !args.SlotMapping.IsContiguous)
            throw new ArgumentException($"Expected a slot mapping of {tokens} i64, found {args.SlotMapping}.", nameof(args));

        var job = new RopeJob
        {
            Tokens = tokens,
            Query = CpuOperand.Of(args.Query),
            Key = CpuOperand.Of(args.Key),
            Value = CpuOperand.Of(args.Value),
            Positions = CpuOperand.Indices(args.Positions, tokens),
            Slots = (long*)args.SlotMapping.Address,
            KeyCache = NhdCache.Of(args.Cache.Key),
            ValueCache = NhdCache.Of(args.Cache.Value),
            DType = args.Cache.Key.DType,
        };
        if (args.Rope is { } table)
        {
            job.CosSin = (float*)table.CosSin.Address;
            job.NumPositions = table.Positions;
            job.RotaryDim = table.RotaryDim;
            job.Interleaved = table.Interleaved;
        }

        crew.Run(&RotateAndStore, &job, tokens * (queryHeads + kvHeads) * dim < RopeSharedFrom);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void RotateAndStore(CpuCrew crew, int worker, RopeJob* job)
    {
        long first = job->Tokens * worker / crew.ActiveThreads;
        long end = job->Tokens * (worker + 1) / crew.ActiveThreads;
        long capacity = job->KeyCache.NumBlocks * job->KeyCache.BlockSize;
        for (long t = first; t < end; t++)
        {
            long slot = job->Slots[t];
            if (slot < -1 || slot >= capacity)
                throw new ArgumentOutOfRangeException(nameof(job), slot, $"Slots must be in [0, {capacity}), or -1 for padding.");
            if (job->CosSin != null) RotateToken(job, t, isPadding: slot < 0);
            if (slot < 0) continue;
            long block = slot / job->KeyCache.BlockSize;
            int offset = (int)(slot % job->KeyCache.BlockSize);
            for (int head = 0; head < job->Key.Inner; head++)
            {
                StoreRow(Head(job->Key, t, head), job->KeyCache.Row(block, offset, head), job->KeyCache.Dim, job->DType);
                StoreRow(Head(job->Value, t, head), job->ValueCache.Row(block, offset, head), job->ValueCache.Dim, job->DType);
            }
        }
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
            for (int i = 0; i < half; i++)
            {
                float a = x[2 * i], b = x[(2 * i) + 1];
                x[2 * i] = (a * cos[i]) - (b * sin[i]);
                x[(2 * i) + 1] = (b * cos[i]) + (a * sin[i]);
            }

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

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void StoreRow(float* source, byte* target, int count, DType type)
    {
        switch (type)
        {
            case DType.F32:
                new ReadOnlySpan<float>(source, count).CopyTo(new Span<float>(target, count));
                break;
            case DType.F16:
                for (int i = 0; i < count; i++) ((Half*)target)[i] = (Half)source[i];
                break;
            default:
                StoreBf16(source, (ushort*)target, count);
                break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void StoreBf16(float* source, ushort* target, int count)
    {
        int i = 0;
        for (; i + 8 <= count; i += 8)
            Vector128.Narrow(RoundBf16(Vector128.Load(source + i)), RoundBf16(Vector128.Load(source + i + 4))).Store(target + i);
        for (; i < count; i++) target[i] = (ushort)RoundBf16(Vector128.CreateScalar(source[i])).ToScalar();
    }

    // Half of the last kept bit rounds up, minus one when that bit is even; a NaN keeps its sign and stays quiet.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<uint> RoundBf16(Vector128<float> value)
    {
        Vector128<uint> bits = value.AsUInt32();
        Vector128<uint> rounded = (bits + Vector128.Create(0x7FFFu) + ((bits >>> 16) & Vector128<uint>.One)) >>> 16;
        Vector128<uint> quiet = (bits >>> 16) | Vector128.Create(0x40u);
        return Vector128.ConditionalSelect(Vector128.Equals(value, value).AsUInt32(), rounded, quiet);
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
        public NhdCache KeyCache;
        public NhdCache ValueCache;
        public DType DType;
    }
}
