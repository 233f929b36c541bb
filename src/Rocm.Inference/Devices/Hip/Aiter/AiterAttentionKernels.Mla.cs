using Rocm.Inference.Devices.Hip.Attention;
using Rocm.Inference.Native.Aiter;

namespace Rocm.Inference.Devices.Hip.Aiter;

/// <summary>
/// MlaDecode by AITER's first stage: a table of tokens and joined queries before, a reduce of the splits after. Heads are padded to a number that AITER has,
/// rows to the longest of the step; the splits follow the bounds of the step, never its lengths. Over an fp8 cache queries are rounded to fp8 with one scale
/// for all of a launch. For what a tile has beyond its context the kernels multiply
/// row 0 of the cache by zero: it must be finite, as the null block is, which nobody writes.
/// </summary>
internal sealed partial class AiterAttentionKernels
{
    private const int LatentRowDim = AiterLatentKernels.LatentDim + AiterLatentKernels.RopeDim;
    private const int MaxLatentQueryLen = 8;
    private const int MaxLatentSplits = 16;

    // Offsets of a pass and the alignment of its tensors.
    private const int LatentRowExtraBytes = 4 * sizeof(int);
    private const int LatentPassExtraBytes = 2048;

    // Tables of a step's tokens; where the bounds ask for more, every layer makes its own in passes.
    private const long MaxLatentPlanBytes = 32L << 20;

    /// <summary>Partial results, joined queries and tables at a time, in bytes; a step that would need more goes in passes over its rows.</summary>
    internal long LatentBudgetBytes { get; init; } = 256L << 20;

    public void MlaDecode(DeviceContext context, in MlaDecodeArgs args)
    {
        if (Serving(args) is not { } decode)
        {
            _own.MlaDecode(context, args);
            return;
        }

        if (args.Lse.IsAbsent && PreferredPersistent(args.Spec, args.Cache.Key, args.NumRows, args.MaxQueryLen, args.MaxSeqLen, isPlanned: !args.Plan.IsAbsent) is { } persistent)
        {
            Decode(context, args, persistent);
            return;
        }

        int splits = decode.ChooseSplits(args.NumRows, (long)args.NumRows * args.MaxSeqLen, _library!.Device.Info.ComputeUnits);
        bool direct = decode.WritesResult(splits) && TakesResult(args, decode.Heads);
        if (decode.WritesResult(splits) && !direct) splits = 2;
        int tokens = args.Plan.IsAbsent ? args.MaxSeqLen : 0;
        int pass = (int)Math.Clamp(LatentBudgetBytes / LatentRowBytes(decode.Heads, args.MaxQueryLen, splits, tokens), 1, args.NumRows);
        for (int first = 0; first < args.NumRows; first += pass)
        {
            long mark = context.Mark();
            Decode(context, args, decode, splits, direct, first, Math.Min(pass, args.NumRows - first));
            context.Release(mark);
        }
    }

    public long MlaDecodeScratchBytes(AttentionSpec spec, in BatchLimits limits)
    {
        long own = _own.MlaDecodeScratchBytes(spec, limits);
        if (_library is null || spec.Kind != AttentionKind.Mla || Latent(spec).Kernel is null) return own;
        int maxSeqLen = limits.MaxSeqLen;
        long row = 0;
        for (int length = 1; length <= Math.Min(MaxLatentQueryLen, limits.MaxNumTokens); length++)
        {
            if (Latent(spec, length, poolBytes: 0).Kernel is { } decode)
                row = Math.Max(row, LatentRowBytes(decode.Heads, length, MaxLatentSplits, maxSeqLen));
        }

        return Math.Max(Math.Max(own, PersistentScratchBytes(spec, limits)), Math.Min(limits.MaxNumRows * row, Math.Max(LatentBudgetBytes, row)) + LatentPassExtraBytes);
    }

    public TensorView PlanDecode(DeviceContext context, in DecodePlanArgs args, TensorView memory)
    {
        if (args.Spec.Kind != AttentionKind.Mla) return PlanPersistentPaged(context, args, memory);
        if (memory.IsAbsent || Serving(args.Spec, args.Cache, args.NumRows, args.MaxQueryLen, args.MaxSeqLen) is null) return default;
        bool isPersistent = PreferredPersistent(args.Spec, args.Cache.Key, args.NumRows, args.MaxQueryLen, args.MaxSeqLen, isPlanned: true) is not null;
        long bytes = isPersistent ? PersistentPlanBytes(args.NumRows, args.MaxSeqLen) : AiterLatentTable.Bytes(args.NumRows, args.MaxSeqLen);
        if (bytes > memory.Count) return default;
        TensorView plan = memory.Slice(0, 0, bytes);
        var table = new AiterLatentTable(plan.Address, args.NumRows);
        var rows = new AiterLatentKernels.Rows
        {
            SeqLens = args.SeqLens.Address,
            BlockTable = args.BlockTable.Address,
            BlockTableStride = args.BlockTable.Stride(0),
            KvOffsets = table.KvOffsets,
            PageLengths = table.PageLengths,
            KvRows = table.KvRows,
            NumRows = args.NumRows,
            BlockSize = args.Cache.BlockSize,
            RowsPerBlock = RowsPerBlock(args.Cache.Key),
        };
        HipContext lane = HipContext.Of(context);
        _latentKernels.BuildTable(lane, rows, args.MaxSeqLen);
        if (isPersistent) PlanPersistent(lane, args.SeqLens, args.NumRows, args.MaxQueryLen, args.MaxSeqLen, plan);
        return plan;
    }

    public long DecodePlanBytes(AttentionSpec spec, in BatchLimits limits) => _library is null || (spec.Kind == AttentionKind.Mla && Latent(spec).Kernel is null) ? 0
        : spec.Kind != AttentionKind.Mla ? PersistentPagedPlanBytes(spec, limits)
        : Math.Min(AiterLatentTable.Bytes(limits.MaxNumRows, limits.MaxSeqLen), MaxLatentPlanBytes) + (CanBePersistent ? AiterWorkTable.Bytes(limits.MaxNumRows, Workers, 1) : 0);

    private void Decode(DeviceContext context, in MlaDecodeArgs args, AiterMlaDecode decode, int splits, bool direct, int first, int count)
    {
        int length = args.MaxQueryLen;
        bool isPlanned = !args.Plan.IsAbsent, isFp8 = args.Cache.Key.DType != DType.BF16;
        AiterMlaPartials partials = decode.PartialsOf(count, splits);
        TensorView offsets = context.Scratch(DType.I32, 2, count + 1);
        AiterLatentTable table = isPlanned
            ? new AiterLatentTable(args.Plan.Address, args.NumRows)
            : new AiterLatentTable(context.Scratch(DType.U8, AiterLatentTable.Bytes(count, args.MaxSeqLen)).Address, count);
        AiterLatentKernels.Rows rows = Describe(args, table, first, count, decode.Heads) with
        {
            QueryOffsets = offsets.Address,
            SplitOffsets = offsets.Address + ((count + 1) * sizeof(int)),
            Joined = context.Scratch(isFp8 ? _fp8 : DType.BF16, count, length, decode.Heads, LatentRowDim).Address,
            Maxima = isFp8 ? context.Scratch(DType.F32, AiterLatentKernels.MaxMaxima).Address : 0,
            Scales = isFp8 ? context.Scratch(DType.F32, 2).Address : 0,
            Fp8Type = KvTensorArgs.CacheType(args.Cache),
            Partials = direct
                ? args.Output.Address + (nint)(first * args.Output.Stride(0) * DType.BF16.ByteSize())
                : context.Scratch(DType.F32, partials.OutputBytes / sizeof(float)).Address,
            PartialLse = context.Scratch(DType.F32, partials.LseBytes / sizeof(float)).Address,
            NumSplits = splits,
            KvTile = partials.KvTile,
        };
        HipContext lane = HipContext.Of(context);
        if (!isPlanned && isFp8) _latentKernels.BuildTable(lane, rows, args.MaxSeqLen);
        if (isFp8) _latentKernels.Quantize(lane, rows);
        else if (isPlanned) _latentKernels.Join(lane, rows);
        else _latentKernels.BuildTableAndJoin(lane, rows, args.MaxSeqLen);
        decode.Launch(lane.Stream, new AiterMlaArguments
        {
            Partials = rows.Partials,
            PartialLse = rows.PartialLse,
            Query = rows.Joined,
            Cache = args.Cache.Key.Address,
            KvOffsets = rows.KvOffsets,
            KvIndices = rows.KvRows,
            LastPageLengths = rows.PageLengths,
            QueryOffsets = rows.QueryOffsets,
            SplitOffsets = rows.SplitOffsets,
            QueryScale = rows.Scales,
            CacheScale = !isFp8 ? 0 : args.Cache.KeyScales.IsAbsent ? rows.Scales + sizeof(float) : args.Cache.KeyScales.Address,
            Sequences = count,
            Splits = splits,
            CacheRowBytes = (int)args.Cache.Key.Stride(1) * args.Cache.Key.DType.ByteSize(),
            Scale = args.Spec.SoftmaxScale,
        });
        if (!direct) _latentKernels.Reduce(lane, rows);
    }

    /// <summary>Rows of a step from one on, without what is scratch memory. A planned table has all rows, another those of the pass.</summary>
    private static AiterLatentKernels.Rows Describe(in MlaDecodeArgs args, in AiterLatentTable table, int first, int count, int paddedHeads)
    {
        nint firstBytes = first * sizeof(int), tableBytes = args.Plan.IsAbsent ? 0 : firstBytes;
        return new AiterLatentKernels.Rows
        {
            Query = args.Query.Address,
            Rope = args.QueryRope.Address,
            TokenStride = args.Query.Stride(0),
            HeadStride = args.Query.Stride(1),
            RopeTokenStride = args.QueryRope.Stride(0),
            RopeHeadStride = args.QueryRope.Stride(1),
            CuSeqlens = args.CuSeqlensQ.Address + firstBytes,
            SeqLens = args.SeqLens.Address + firstBytes,
            BlockTable = args.BlockTable.Address + (nint)(first * args.BlockTable.Stride(0) * sizeof(int)),
            BlockTableStride = args.BlockTable.Stride(0),
            KvOffsets = table.KvOffsets + tableBytes,
            PageLengths = table.PageLengths + tableBytes,
            KvRows = table.KvRows,
            Output = args.Output.Address,
            OutputTokenStride = args.Output.Stride(0),
            OutputHeadStride = args.Output.Stride(1),
            Lse = args.Lse.IsAbsent ? 0 : args.Lse.Address,
            LseHeadStride = args.Lse.IsAbsent ? 0 : args.Lse.Stride(0),
            NumRows = count,
            QueryLen = args.MaxQueryLen,
            NumHeads = (int)args.Query.Dim(1),
            PaddedHeads = paddedHeads,
            BlockSize = args.Cache.BlockSize,
            RowsPerBlock = RowsPerBlock(args.Cache.Key),
        };
    }
}
