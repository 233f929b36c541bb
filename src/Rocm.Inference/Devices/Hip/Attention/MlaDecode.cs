using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Kernels;

namespace Rocm.Inference.Devices.Hip.Attention;

/// <summary>attention/mla_decode.hip: absorbed latent attention, split into segments at fixed absolute positions.</summary>
internal sealed partial class HipAttentionKernels
{
    private const string MlaFile = "attention/mla_decode.hip";
    private const int MlaThreads = 256;

    // Floats of a column's partial result before the sums.
    private const int MlaPartialHead = 4;

    // Partial results at a time; a launch that would need more goes in passes.
    private const long MlaPartialBudgetBytes = 256L << 20;

    // Tokens by which a step may be padded.
    private const int MlaPaddedTokens = 16;

    private readonly KernelSet<MlaInstance> _mlaDecode = new(gpu.Library, MlaFile, "mla_decode", Unsafe.SizeOf<MlaArgs>(), static instance => instance.Macros);
    private readonly KernelSet<MlaInstance> _mlaReduce = new(gpu.Library, MlaFile, "mla_reduce", Unsafe.SizeOf<MlaArgs>(), static instance => instance.Macros);

    public void MlaDecode(DeviceContext context, in MlaDecodeArgs args)
    {
        MlaArgs kernelArgs = DescribeMla(args);
        int heads = kernelArgs.Query.GqaRatio, rank = kernelArgs.Query.Dim;
        long tokens = Math.Min(args.Query.Dim(0), (long)args.NumRows * args.MaxQueryLen);
        if (tokens == 0 || args.MaxSeqLen == 0) return;
        // Four tiles share what is read of the cache, where registers hold them.
        int columns = gpu.WaveSize == 64 && (long)args.MaxQueryLen * heads > TileColumns ? 4 : 1, width = TileColumns * columns;
        var instance = new MlaInstance(KvTensorArgs.CacheType(args.Cache), kernelArgs.Query.HeadDim <= 320 && rank <= 256, columns);
        long groups = (tokens * heads / width) + args.NumRows, segments = MlaSegments(heads, args.MaxSeqLen), pass = groups;
        kernelArgs.SegmentLen = MlaSegmentLen(heads);
        kernelArgs.NumSegments = (int)segments;
        HipContext lane = HipContext.Of(context);
        long mark = context.Mark();
        if (segments > 1)
        {
            long perGroup = segments * width * (MlaPartialHead + rank);
            pass = Math.Clamp(MlaPartialBudgetBytes / (perGroup * sizeof(float)), 1, groups);
            kernelArgs.Partials = context.Scratch(DType.F32, perGroup * pass).Address;
        }

        for (long first = 0; first < groups; first += pass)
        {
            kernelArgs.FirstGroup = checked((int)first);
            long count = Math.Min(pass, groups - first);
            lane.Launch(_mlaDecode[instance], new HipDim3((uint)count, 1, (uint)segments), MlaThreads, kernelArgs);
            if (segments > 1) lane.Launch(_mlaReduce[instance], new HipDim3((uint)(count * width / (MlaThreads / gpu.WaveSize))), MlaThreads, kernelArgs);
        }

        context.Release(mark);
    }

    public long MlaDecodeScratchBytes(AttentionSpec spec, in BatchLimits limits)
    {
        const int Alignment = 64;
        long segments = MlaSegments(spec.NumQoHeads, limits.MaxSeqLen), perColumn = segments * (MlaPartialHead + spec.KvLoraRank) * sizeof(float);
        if (segments <= 1) return 0;
        int width = 4 * TileColumns;
        double columns = (((double)limits.MaxNumTokens + MlaPaddedTokens) * spec.NumQoHeads) + ((double)width * limits.MaxNumRows);
        return (long)Math.Min(columns * perColumn, Math.Max(MlaPartialBudgetBytes, width * perColumn)) + (2 * Alignment);
    }

    // By the heads alone, so that a token's segments are the same in every step. Many heads share a segment's rows and each write a partial result.
    private static int MlaSegmentLen(int heads) => heads <= TileColumns ? 512 : 1024;

    private static long MlaSegments(int heads, int maxSeqLen) => ((long)maxSeqLen + MlaSegmentLen(heads) - 1) / MlaSegmentLen(heads);

    private static MlaArgs DescribeMla(in MlaDecodeArgs args)
    {
        TensorView latents = args.Cache.Key;
        if (args.Cache.Layout != KvLayoutKind.MlaLatent || latents.IsAbsent || latents.Rank != 3)
            throw new ArgumentException($"Expected an MlaLatent cache of [blocks, block size, latent and rotary part], found {args.Cache.Layout} {latents}.", nameof(args));
        long rank = args.Query.IsAbsent || args.Query.Rank != 3 ? 0 : args.Query.Dim(2), ropeDim = args.QueryRope.IsAbsent ? 0 : args.QueryRope.Dim(2);
        if (rank == 0 || rank + ropeDim != latents.Dim(2))
            throw new ArgumentException($"Queries {args.Query} and {args.QueryRope} do not fit cached rows {latents}.", nameof(args));
        long tokens = args.Query.Dim(0), heads = args.Query.Dim(1);
        CheckHeads(args.Query, tokens, heads, rank);
        if (ropeDim > 0) CheckHeads(args.QueryRope, tokens, heads, ropeDim);
        CheckHeads(args.Output, tokens, heads, rank);
        if (!args.Lse.IsAbsent) CheckHeadRows(args.Lse, heads, tokens);
        KvTensorArgs cache = KvTensorArgs.Key(args.Cache);
        if (rank > 512 || rank + ropeDim > 576 || !IsVector(args.Query) || !IsVector(args.QueryRope) || !IsVector(args.Output) || !cache.IsVector)
        {
            throw new NotSupportedException(
                $"The latent kernels of a HIP device read rows of up to 512 + 64 dims in multiples of 8 dims at multiples of 16 bytes; found {args.Query}, {args.QueryRope}, {args.Output} and {latents}.");
        }

        if (args.NumRows > 0 && (args.BlockTable.IsAbsent || args.BlockTable.DType != DType.I32 || args.BlockTable.Rank != 2 || args.BlockTable.Dim(0) < args.NumRows))
            throw new ArgumentException($"Expected a block table of {args.NumRows} rows of i32, found {args.BlockTable}.", nameof(args));
        return new MlaArgs
        {
            Query = QueryArgs.Of(args.Query, args.QueryRope, args.NumRows == 0 ? 0 : Indices(args.CuSeqlensQ, args.NumRows + 1L), args.NumRows, (int)heads),
            Cache = cache,
            BlockTable = args.NumRows == 0 ? 0 : args.BlockTable.Address,
            BlockTableStride = args.NumRows == 0 ? 0 : args.BlockTable.Stride(0),
            SeqLens = args.NumRows == 0 ? 0 : Indices(args.SeqLens, args.NumRows),
            Output = args.Output.Address,
            OutputTokenStride = args.Output.Stride(0),
            OutputHeadStride = args.Output.Stride(1),
            Lse = args.Lse.IsAbsent ? 0 : args.Lse.Address,
            LseHeadStride = args.Lse.IsAbsent ? 0 : args.Lse.Stride(0),
            Scale = args.Spec.SoftmaxScale,
            BlockSize = args.Cache.BlockSize,
        };
    }

    /// <summary>What tells the latent kernels apart.</summary>
    /// <param name="CacheType">See <see cref="KvTensorArgs.CacheType"/>.</param>
    /// <param name="IsSmall">Rows of up to 320 dims with up to 256 latent ones; else 576 and 512.</param>
    /// <param name="Columns">Tiles of 16 query columns of a group.</param>
    private readonly record struct MlaInstance(int CacheType, bool IsSmall, int Columns)
    {
        public string Macros => string.Create(
            CultureInfo.InvariantCulture, $"{Activation} CACHE={CacheType} DIM={(IsSmall ? 320 : 576)} VDIM={(IsSmall ? 256 : 512)} COLUMNS={Columns}");
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct MlaArgs
    {
        public QueryArgs Query;
        public KvTensorArgs Cache;
        public nint BlockTable;
        public long BlockTableStride;
        public nint SeqLens, Output;
        public long OutputTokenStride, OutputHeadStride;
        public nint Lse;
        public long LseHeadStride;
        public nint Partials;
        public float Scale;
        public int BlockSize, SegmentLen, NumSegments, FirstGroup, Unused;
    }
}
