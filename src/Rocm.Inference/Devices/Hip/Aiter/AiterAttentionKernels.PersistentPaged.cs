using System.Collections.Concurrent;
using System.Collections.Immutable;
using Rocm.Inference.Native.Aiter;

namespace Rocm.Inference.Devices.Hip.Aiter;

/// <summary>
/// PagedDecode by pa_ps_fwd, the only kernel of AITER's for large blocks of an fp8 cache: rows of one token, contexts shared out among the compute units by a plan
/// that the device makes.
/// </summary>
internal sealed partial class AiterAttentionKernels
{
    private static readonly int[] _persistentBlocks = [256, 1024];

    private readonly ConcurrentDictionary<AiterPagedShape, (AiterPersistentPagedDecode? Kernel, ImmutableArray<string> Reasons)> _persistentPaged = new();

    /// <summary>The kernel for a cache whose blocks are large; or why there is none.</summary>
    private (AiterPersistentPagedDecode? Kernel, ImmutableArray<string> Reasons) PersistentPaged(AttentionSpec spec, int blockSize, long poolBytes)
    {
        if (!ReadsCache(spec.KvDType)) return (null, CacheRefusals(spec.KvDType));
        if (Workers < spec.NumKvHeads || Workers / spec.NumKvHeads > AiterWorkKernels.MaxShare)
            return (null, [$"AITER's persistent kernels run on 1 to {AiterWorkKernels.MaxShare} compute units for a KV head."]);
        AiterPagedShape shape = ShapeOf(spec, blockSize, poolBytes);
        if (_persistentPaged.TryGetValue(shape, out (AiterPersistentPagedDecode? Kernel, ImmutableArray<string> Reasons) known)) return known;
        AiterPersistentPagedDecode? decode = AiterPersistentPagedDecode.TryCreate(_library!, shape, scalesPerToken: false, out ImmutableArray<string> reasons);
        return _persistentPaged[shape] = (decode, reasons);
    }

    private static bool IsPersistentBlock(AttentionSpec spec, int blockSize) => spec.KvDType.ByteSize() == 1 && Array.IndexOf(_persistentBlocks, blockSize) >= 0;

    private AiterPersistentPagedDecode? ServingPersistent(in PagedAttentionArgs args)
    {
        AttentionSpec spec = args.Spec;
        if (args.Rows == AttentionRows.MultiToken || args.Query.DType != DType.BF16 || args.Query.Stride(1) != spec.HeadDim || !args.Output.IsContiguous) return null;
        return ServingPersistent(spec, args.Cache, args.NumRows, args.MaxQueryLen, args.MaxSeqLen);
    }

    private AiterPersistentPagedDecode? ServingPersistent(AttentionSpec spec, in KvCacheView cache, int numRows, int maxQueryLen, int maxSeqLen)
    {
        if (_library is null || numRows == 0 || maxSeqLen == 0 || maxQueryLen != 1 || cache.Layout != KvLayoutKind.Shuffled || !IsPersistentBlock(spec, cache.BlockSize)) return null;
        if (!ReadsCache(spec.KvDType) || !Prefers(AiterPrimitive.PagedDecode, spec, numRows, maxSeqLen, hasLargeBlocks: true)) return null;
        return PersistentPaged(spec, cache.BlockSize, cache.Key.Count * cache.Key.DType.ByteSize()).Kernel;
    }

    /// <returns>False when there are no tables of scales and none can be made.</returns>
    private bool Decode(DeviceContext context, in PagedAttentionArgs args, AiterPersistentPagedDecode decode)
    {
        HipContext lane = HipContext.Of(context);
        KvCacheView cache = args.Cache;
        if (!_scales.TryGet(lane, cache, perBlock: true, out nint keyScales, out nint valueScales)) return false;
        long mark = context.Mark();
        int count = args.NumRows, heads = args.Spec.NumQoHeads, kvHeads = args.Spec.NumKvHeads, dim = args.Spec.HeadDim;
        TensorView plan = args.Plan;
        if (plan.IsAbsent)
        {
            plan = context.Scratch(DType.U8, PersistentPagedPlanBytes(count, kvHeads, args.MaxSeqLen, cache.BlockSize));
            PlanPersistentPaged(lane, args.Spec, args.SeqLens, args.BlockTable, count, args.MaxSeqLen, cache.BlockSize, plan);
        }

        var work = new AiterWorkTable(plan.Address, count, Workers, kvHeads);
        long partRows = AiterWorkTable.MaxParts(count, Workers, kvHeads);
        var parts = new AiterWorkKernels.Parts
        {
            CuSeqlens = args.CuSeqlensQ.Address,
            FirstParts = work.FirstParts,
            Partials = context.Scratch(DType.F32, Math.Max(1, partRows), heads, dim).Address,
            PartialLse = context.Scratch(DType.F32, Math.Max(1, partRows), heads).Address,
            Output = args.Output.Address,
            OutputTokenStride = args.Output.Stride(0),
            OutputHeadStride = args.Output.Stride(1),
            NumRows = count,
            QueryLen = 1,
            NumHeads = heads,
            PaddedHeads = heads,
            Dim = dim,
        };
        decode.Launch(
            lane.Stream,
            new AiterPagedArguments
            {
                Output = args.Output.Address,
                Query = args.Query.Address,
                Keys = cache.Key.Address,
                Values = cache.Value.Address,
                BlockTable = plan.Address + (nint)AiterWorkTable.Bytes(count, Workers, kvHeads),
                ContextLengths = args.SeqLens.Address,
                QueryOffsets = args.CuSeqlensQ.Address,
                KeyScales = keyScales,
                ValueScales = valueScales,
                Sequences = count,
                BlockTableStride = 0,
                QueryRowBytes = (int)args.Query.Stride(0) * DType.BF16.ByteSize(),
                BlockBytes = (int)cache.Key.Stride(0) * cache.Key.DType.ByteSize(),
                HeadBytes = (int)cache.Key.Stride(1) * cache.Key.DType.ByteSize(),
                Scale = args.Spec.SoftmaxScale,
            },
            work.FirstPages,
            new AiterPersistentArguments
            {
                WorkOffsets = work.WorkOffsets, WorkItems = work.Items, Partials = parts.Partials, PartialLse = parts.PartialLse, Workers = Workers,
            });
        _workKernels.Merge(lane, parts);
        context.Release(mark);
        return true;
    }

    /// <summary>Plans the work of rows, and packs their block numbers behind it.</summary>
    private void PlanPersistentPaged(
        HipContext lane, AttentionSpec spec, TensorView seqLens, TensorView blockTable, int numRows, int maxSeqLen, int blockSize, TensorView plan)
    {
        var work = new AiterWorkTable(plan.Address, numRows, Workers, spec.NumKvHeads);
        _workKernels.Plan(lane, seqLens.Address, work, new AiterWorkKernels.Shape(spec.GqaRatio, blockSize, GranulePages: 1, QueryLen: 1));
        _workKernels.Pack(lane, blockTable, work, plan.Address + (nint)AiterWorkTable.Bytes(numRows, Workers, spec.NumKvHeads), (maxSeqLen + blockSize - 1) / blockSize);
    }

    private TensorView PlanPersistentPaged(DeviceContext context, in DecodePlanArgs args, TensorView memory)
    {
        if (memory.IsAbsent || ServingPersistent(args.Spec, args.Cache, args.NumRows, args.MaxQueryLen, args.MaxSeqLen) is null) return default;
        long bytes = PersistentPagedPlanBytes(args.NumRows, args.Spec.NumKvHeads, args.MaxSeqLen, args.Cache.BlockSize);
        if (bytes > memory.Count) return default;
        TensorView plan = memory.Slice(0, 0, bytes);
        PlanPersistentPaged(HipContext.Of(context), args.Spec, args.SeqLens, args.BlockTable, args.NumRows, args.MaxSeqLen, args.Cache.BlockSize, plan);
        return plan;
    }

    private long PersistentPagedPlanBytes(int numRows, int kvHeads, int maxSeqLen, int blockSize) =>
        AiterWorkTable.Bytes(numRows, Workers, kvHeads) + ((long)numRows * ((maxSeqLen + blockSize - 1) / blockSize) * sizeof(int));

    // The block size is not known yet: of the smallest.
    private long PersistentPagedPlanBytes(AttentionSpec spec, in BatchLimits limits) =>
        HasPersistentPaged(spec) ? PersistentPagedPlanBytes(limits.MaxNumRows, spec.NumKvHeads, limits.MaxSeqLen, _persistentBlocks[0]) : 0;

    private long PersistentPagedScratchBytes(AttentionSpec spec, in BatchLimits limits)
    {
        const int Alignment = 64, Tensors = 3;
        if (!HasPersistentPaged(spec)) return 0;
        long rows = Math.Max(1, AiterWorkTable.MaxParts(limits.MaxNumRows, Workers, spec.NumKvHeads));
        return PersistentPagedPlanBytes(spec, limits) + (rows * spec.NumQoHeads * (spec.HeadDim + 1) * sizeof(float)) + (Tensors * Alignment);
    }

    private bool HasPersistentPaged(AttentionSpec spec) =>
        _library is not null && spec.Kind == AttentionKind.Mha && spec.KvDType.ByteSize() == 1
        && Array.Exists(_persistentBlocks, blockSize => PersistentPaged(spec, blockSize, poolBytes: 0).Kernel is not null);

    // The spec does not say which blocks a session has.
    private ImmutableArray<string> LargeBlocks(AttentionSpec spec)
    {
        if (!HasPersistentPaged(spec)) return [];
        string blocks = string.Join(" and ", _persistentBlocks.Where(blockSize => PersistentPaged(spec, blockSize, poolBytes: 0).Kernel is not null));
        if (Choice == AiterKernelChoice.ByShape) return [$"Blocks of {blocks} tokens are left to this library's kernel: AITER's persistent kernel is taken for them always or by times."];
        string taken = $"Rows of one token over blocks of {blocks} tokens are AITER's persistent kernel's.";
        string slower = Choice == AiterKernelChoice.Measured && _times.TryGetValue(TimedShape.Of(AiterPrimitive.PagedDecode, spec, hasLargeBlocks: true), out KernelTimes? times)
            ? Steps(times, KernelChoice.Own, "Over them this library's kernel") : "";
        return slower.Length == 0 ? [taken] : [taken, slower];
    }
}
