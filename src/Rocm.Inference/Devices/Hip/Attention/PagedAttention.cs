using System.Globalization;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Kernels;

namespace Rocm.Inference.Devices.Hip.Attention;

/// <summary>
/// attention/paged_attention.hip: attention over the paged cache. Single tokens and longer rows of a step are launched apart, each split as far as it takes;
/// splits change no bit of a result.
/// </summary>
internal sealed partial class HipAttentionKernels
{
    private const int PagedThreads = 256;
    private const string PagedFile = "attention/paged_attention.hip";
    private readonly KernelSet<PagedInstance> _pagedAttention =
        new(gpu.Library, PagedFile, "paged_attention", Unsafe.SizeOf<PagedArgs>(), static instance => instance.Macros);

    private readonly KernelSet<PagedInstance> _reduceUnits =
        new(gpu.Library, PagedFile, "reduce_units", Unsafe.SizeOf<PagedArgs>(), static instance => instance.Macros);

    private int PagedGroupThreads => PagedThreads / 64 * gpu.WaveSize;

    public void UnifiedAttention(DeviceContext context, in PagedAttentionArgs args) => Attend(context, args, args.Split);

    public void PagedDecode(DeviceContext context, in PagedAttentionArgs args) => Attend(context, args, KvSplit.Fixed);

    /// <summary>The same for rows of some lengths; others are left alone. The device looks at the lengths.</summary>
    internal void PagedDecode(DeviceContext context, in PagedAttentionArgs args, int minLength, int maxLength) =>
        Attend(context, args, KvSplit.Fixed, minLength, maxLength);

    public long UnifiedAttentionScratchBytes(AttentionSpec spec, in BatchLimits limits) => PagedPlan.ScratchBytes(spec, limits, gpu.WaveSize);

    public long PagedDecodeScratchBytes(AttentionSpec spec, in BatchLimits limits) => PagedPlan.ScratchBytes(spec, limits, gpu.WaveSize);

    private void Attend(DeviceContext context, in PagedAttentionArgs args, KvSplit split, int minLength = 0, int maxLength = int.MaxValue)
    {
        if (args.NumRows == 0 || args.MaxQueryLen == 0) return;
        PagedArgs kernelArgs = Describe(args);
        kernelArgs.MinLength = minLength;
        kernelArgs.MaxLength = maxLength;
        if (args.Rows != AttentionRows.MultiToken && (args.MaxQueryLen == 1 || args.NumRows > 1))
            Attend(context, args, split, kernelArgs, AttentionRows.SingleToken);
        if (args.Rows != AttentionRows.SingleToken && args.MaxQueryLen > 1)
            Attend(context, args, split, kernelArgs, AttentionRows.MultiToken);
    }

    private void Attend(DeviceContext context, in PagedAttentionArgs args, KvSplit split, PagedArgs kernelArgs, AttentionRows rows)
    {
        AttentionSpec spec = args.Spec;
        PagedPlan plan = PagedPlan.Make(spec, args, rows, split, gpu.WaveSize, gpu.ComputeUnits);
        kernelArgs.IsRow = plan.IsRow ? 1 : 0;
        kernelArgs.NumSlices = plan.NumSlices;
        kernelArgs.RowFilter = (int)rows;
        kernelArgs.Unit = (int)plan.Unit;
        kernelArgs.MaxUnits = plan.MaxUnits;
        kernelArgs.NumSplits = plan.NumSplits;
        kernelArgs.NumHeads = spec.NumKvHeads * plan.NumSlices;
        var instance = new PagedInstance(
            KvTensorArgs.CacheType(args.Cache), (int)args.Cache.Layout, args.Cache.BlockSize % 16 == 0 ? 16 : 1, spec.HeadDim, spec.VHeadDim / plan.NumSlices, plan.Columns);
        HipContext lane = HipContext.Of(context);
        long mark = context.Mark();
        if (plan.Unit != PagedUnit.Row) kernelArgs.Partials = context.Scratch(DType.F32, plan.PartialFloats).Address;
        var grid = new HipDim3((uint)plan.NumBlocks, (uint)kernelArgs.NumHeads, (uint)plan.NumSplits);
        lane.Launch(_pagedAttention[instance], grid, PagedGroupThreads, kernelArgs);
        if (plan.Unit != PagedUnit.Row) lane.Launch(_reduceUnits[instance], grid with { Z = 1 }, PagedGroupThreads, kernelArgs);
        context.Release(mark);
    }

    private static PagedArgs Describe(in PagedAttentionArgs args)
    {
        AttentionSpec spec = args.Spec;
        CheckHeads(args.Query, 0, spec.NumQoHeads, spec.HeadDim);
        CheckHeads(args.Output, args.Query.Dim(0), spec.NumQoHeads, spec.VHeadDim);
        if (args.Cache.Layout == KvLayoutKind.MlaLatent) throw new ArgumentException("Latent rows have no K and V heads.", nameof(args));
        KvTensorArgs key = KvTensorArgs.Key(args.Cache), value = KvTensorArgs.Value(args.Cache);
        if (KvTensorArgs.NumHeads(args.Cache) != spec.NumKvHeads || KvTensorArgs.KeyDim(args.Cache) != spec.HeadDim || KvTensorArgs.ValueDim(args.Cache) != spec.VHeadDim)
            throw new ArgumentException($"Expected {spec.NumKvHeads} heads of {spec.HeadDim} and {spec.VHeadDim}, found {args.Cache.Key} and {args.Cache.Value}.", nameof(args));
        if (!IsVector(args.Query) || !key.IsVector || spec.VHeadDim % 8 != 0 || (!KvTensorArgs.IsByDims(args.Cache.Layout) && !value.IsVector))
            throw new NotSupportedException($"The paged kernels of a HIP device read heads in multiples of 8 dims at multiples of 16 bytes; found {args.Query}, {args.Cache.Key} and {args.Cache.Value}.");
        if (args.BlockTable.IsAbsent || args.BlockTable.DType != DType.I32 || args.BlockTable.Rank != 2 || args.BlockTable.Dim(0) < args.NumRows)
            throw new ArgumentException($"Expected a block table of {args.NumRows} rows of i32, found {args.BlockTable}.", nameof(args));
        uint block = (uint)args.Cache.BlockSize;
        int shift = 31 + (block == 1 ? 0 : BitOperations.Log2(block - 1) + 1);
        return new PagedArgs
        {
            Query = args.Query.Address,
            QueryTokenStride = args.Query.Stride(0),
            QueryHeadStride = args.Query.Stride(1),
            CuSeqlens = Indices(args.CuSeqlensQ, args.NumRows + 1L),
            NumRows = args.NumRows,
            GqaRatio = spec.GqaRatio,
            Key = key,
            Value = value,
            BlockTable = args.BlockTable.Address,
            BlockTableStride = args.BlockTable.Stride(0),
            SeqLens = Indices(args.SeqLens, args.NumRows),
            Sinks = args.Sinks.IsAbsent ? 0 : args.Sinks.Address,
            Slopes = args.AlibiSlopes.IsAbsent ? 0 : args.AlibiSlopes.Address,
            Output = args.Output.Address,
            OutputTokenStride = args.Output.Stride(0),
            OutputHeadStride = args.Output.Stride(1),
            BlockMagic = (uint)(((1UL << shift) / block) + 1),
            BlockShift = (uint)shift,
            Scale = spec.SoftmaxScale,
            SoftCap = spec.LogitsSoftCap,
            Window = spec.SlidingWindow ?? int.MaxValue,
            BlockSize = args.Cache.BlockSize,
        };
    }

    /// <summary>What tells the kernels over a paged cache apart.</summary>
    private readonly record struct PagedInstance(int CacheType, int Layout, int Block, int Dim, int VDim, int Columns)
    {
        public string Macros => string.Create(
            CultureInfo.InvariantCulture, $"{Activation} CACHE={CacheType} LAYOUT={Layout} BLOCK={Block} DIM={Dim} VDIM={VDim} COLUMNS={Columns}");
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct PagedArgs
    {
        public nint Query;
        public long QueryTokenStride, QueryHeadStride;
        public nint CuSeqlens;
        public int NumRows, GqaRatio, IsRow, Unused;
        public KvTensorArgs Key, Value;
        public nint BlockTable;
        public long BlockTableStride;
        public nint SeqLens, Sinks, Slopes, Output;
        public long OutputTokenStride, OutputHeadStride;
        public nint Partials;
        public uint BlockMagic, BlockShift;
        public float Scale, SoftCap;
        public int Window, BlockSize, NumSlices, RowFilter, Unit, MaxUnits, NumSplits, NumHeads, MinLength, MaxLength;
    }
}
