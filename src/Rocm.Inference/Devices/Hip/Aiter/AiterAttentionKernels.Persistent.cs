using System.Collections.Concurrent;
using System.Collections.Immutable;
using Rocm.Inference.Native.Aiter;

namespace Rocm.Inference.Devices.Hip.Aiter;

/// <summary>
/// MlaDecode by AITER's persistent kernel: as many blocks as there are compute units, each with the same number of tiles. How they are shared out is planned on
/// the device from the lengths, in memory whose size the bounds of the step decide.
/// </summary>
internal sealed partial class AiterAttentionKernels
{
    // Contexts are cut at multiples of so many tokens: a block's loop of one tile.
    private const int PersistentGranule = 64;

    // Of the kernels that there are.
    private const int PersistentHeads = 16;
    private const int PersistentQueryLen = 4;

    private readonly AiterWorkKernels _workKernels;
    private readonly ConcurrentDictionary<AiterMlaShape, (AiterPersistentMlaDecode? Kernel, ImmutableArray<string> Reasons)> _persistentLatent = new();

    /// <summary>Persistent kernels go before AITER's others, where there is one: while they are timed.</summary>
    internal bool PrefersPersistent { get; init; }

    private int Workers => _library!.Device.Info.ComputeUnits;

    /// <summary>The persistent kernel for rows of so many tokens, whatever is preferred; or why there is none.</summary>
    private (AiterPersistentMlaDecode? Kernel, ImmutableArray<string> Reasons) PersistentLatent(AttentionSpec spec, int queryLength, long poolBytes)
    {
        if (spec.NumQoHeads > PersistentHeads || Workers > AiterWorkKernels.MaxShare)
            return (null, [$"AITER's persistent kernels have {PersistentHeads} heads and run on up to {AiterWorkKernels.MaxShare} compute units."]);
        AiterMlaShape shape = LatentShapeOf(spec, queryLength, poolBytes) with { Heads = PersistentHeads };
        if (_persistentLatent.TryGetValue(shape, out (AiterPersistentMlaDecode? Kernel, ImmutableArray<string> Reasons) known)) return known;
        AiterPersistentMlaDecode? decode = AiterPersistentMlaDecode.TryCreate(_library!, shape, out ImmutableArray<string> reasons);
        return _persistentLatent[shape] = (decode, reasons);
    }

    /// <summary>The persistent kernel for rows that AITER's other kernel serves too, where it is preferred and its memory is within bounds.</summary>
    private AiterPersistentMlaDecode? PreferredPersistent(AttentionSpec spec, TensorView latents, int numRows, int maxQueryLen, int maxSeqLen, bool isPlanned)
    {
        if (!CanBePersistent || maxQueryLen > PersistentQueryLen || spec.KvDType != DType.BF16) return null;
        if (Choose(AiterPrimitive.MlaDecode, spec, numRows, maxSeqLen) != KernelChoice.Persistent) return null;
        return PersistentBytes(numRows, maxQueryLen, isPlanned ? 0 : maxSeqLen) > LatentBudgetBytes ? null : PersistentLatent(spec, maxQueryLen, LatentPoolBytes(latents)).Kernel;
    }

    private void Decode(DeviceContext context, in MlaDecodeArgs args, AiterPersistentMlaDecode decode)
    {
        int length = args.MaxQueryLen, count = args.NumRows;
        long mark = context.Mark();
        HipContext lane = HipContext.Of(context);
        TensorView plan = args.Plan;
        if (plan.IsAbsent)
        {
            plan = context.Scratch(DType.U8, PersistentPlanBytes(count, args.MaxSeqLen));
            PlanPersistent(lane, args.SeqLens, count, length, args.MaxSeqLen, plan);
        }

        var table = new AiterLatentTable(plan.Address, count);
        var work = new AiterWorkTable(plan.Address + (nint)AiterLatentTable.Bytes(count, args.MaxSeqLen), count, Workers, 1);
        bool direct = TakesResult(args, PersistentHeads);
        long partRows = (long)AiterWorkTable.MaxParts(count, Workers, 1) * length;
        AiterLatentKernels.Rows rows = Describe(args, table, first: 0, count, PersistentHeads) with
        {
            QueryOffsets = context.Scratch(DType.I32, 2, count + 1).Address,
            Joined = context.Scratch(DType.BF16, count, length, PersistentHeads, LatentRowDim).Address,
        };
        rows.SplitOffsets = rows.QueryOffsets + ((count + 1) * sizeof(int));
        if (args.Plan.IsAbsent) _latentKernels.BuildTableAndJoin(lane, rows, args.MaxSeqLen);
        else _latentKernels.Join(lane, rows);
        var parts = new AiterWorkKernels.Parts
        {
            CuSeqlens = args.CuSeqlensQ.Address,
            FirstParts = work.FirstParts,
            Partials = context.Scratch(DType.F32, partRows, PersistentHeads, AiterLatentKernels.LatentDim).Address,
            PartialLse = context.Scratch(DType.F32, partRows, PersistentHeads).Address,
            Whole = direct ? 0 : context.Scratch(DType.BF16, count, length, PersistentHeads, AiterLatentKernels.LatentDim).Address,
            Output = args.Output.Address,
            OutputTokenStride = args.Output.Stride(0),
            OutputHeadStride = args.Output.Stride(1),
            NumRows = count,
            QueryLen = length,
            NumHeads = (int)args.Query.Dim(1),
            PaddedHeads = PersistentHeads,
            Dim = AiterLatentKernels.LatentDim,
        };
        decode.Launch(
            lane.Stream,
            new AiterMlaArguments
            {
                Partials = parts.Partials,
                PartialLse = parts.PartialLse,
                Query = rows.Joined,
                Cache = args.Cache.Key.Address,
                KvOffsets = rows.KvOffsets,
                KvIndices = rows.KvRows,
                LastPageLengths = rows.PageLengths,
                QueryOffsets = rows.QueryOffsets,
                SplitOffsets = work.Addresses,
                Output = direct ? args.Output.Address : parts.Whole,
                Sequences = count,
                Splits = 1,
                CacheRowBytes = (int)args.Cache.Key.Stride(1) * DType.BF16.ByteSize(),
                Scale = args.Spec.SoftmaxScale,
            },
            Workers);
        _workKernels.Merge(lane, parts);
        context.Release(mark);
    }

    /// <summary>Plans the work of rows behind their table of tokens.</summary>
    private void PlanPersistent(HipContext lane, TensorView seqLens, int numRows, int queryLen, int maxSeqLen, TensorView plan)
    {
        var work = new AiterWorkTable(plan.Address + (nint)AiterLatentTable.Bytes(numRows, maxSeqLen), numRows, Workers, 1);
        _workKernels.Plan(lane, seqLens.Address, work, new AiterWorkKernels.Shape(PersistentHeads, PageTokens: 1, PersistentGranule, queryLen));
    }

    private long PersistentPlanBytes(int numRows, int maxSeqLen) => AiterLatentTable.Bytes(numRows, maxSeqLen) + AiterWorkTable.Bytes(numRows, Workers, 1);

    /// <summary>Scratch memory of a call whose rows have tables of so many tokens.</summary>
    private long PersistentBytes(int numRows, int queryLen, int tableTokens)
    {
        long tokens = (long)numRows * queryLen, partRows = (long)AiterWorkTable.MaxParts(numRows, Workers, 1) * queryLen;
        return (tokens * PersistentHeads * (LatentRowDim + AiterLatentKernels.LatentDim) * DType.BF16.ByteSize())
            + (partRows * PersistentHeads * (AiterLatentKernels.LatentDim + 1) * sizeof(float)) + PersistentPlanBytes(numRows, tableTokens) + LatentPassExtraBytes
            + (2L * (numRows + 1) * sizeof(int));
    }

    /// <summary>A step may take a persistent kernel: times say so, or it is being timed.</summary>
    private bool CanBePersistent => PrefersPersistent || Choice == AiterKernelChoice.Measured;

    /// <summary>Why times are not those of a persistent kernel too, a sentence each.</summary>
    private ImmutableArray<string> PersistentRefusals(AttentionSpec spec) =>
        Choice != AiterKernelChoice.Measured ? [] : spec.KvDType != DType.BF16 ? ["AITER's persistent kernels are taken over bf16 caches only."] : PersistentLatent(spec, 1, poolBytes: 0).Reasons;

    /// <summary>Scratch memory of a persistent kernel at most.</summary>
    private long PersistentScratchBytes(AttentionSpec spec, in BatchLimits limits)
    {
        if (!CanBePersistent || spec.KvDType != DType.BF16 || PersistentLatent(spec, 1, poolBytes: 0).Kernel is null) return 0;
        int queryLen = Math.Min(PersistentQueryLen, limits.MaxNumTokens);
        return Math.Min(PersistentBytes(limits.MaxNumRows, queryLen, limits.MaxSeqLen), LatentBudgetBytes);
    }
}
