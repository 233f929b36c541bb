using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Rocm.Inference.Native.Aiter;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Kernels;

namespace Rocm.Inference.Devices.Hip.Aiter;

/// <summary>attention/aiter_plan.hip: this library's kernels before and after AITER's persistent ones.</summary>
internal sealed class AiterWorkKernels(KernelLibrary library)
{
    /// <summary>Blocks that share the work of a KV head, at most.</summary>
    internal const int MaxShare = 1024;

    private const int PlanThreads = 512;
    private const int PackThreads = 256;
    private const int MergeWaves = 4;
    private const int WaveLanes = 64;

    private static readonly KernelUnit _unit = new("attention/aiter_plan.hip", "T=BF16");
    private HipFunction? _plan;
    private HipFunction? _pack;
    private HipFunction? _merge;

    /// <summary>Shares the contexts of rows among the blocks of a grid.</summary>
    internal void Plan(HipContext lane, nint seqLens, in AiterWorkTable table, in Shape shape)
    {
        _plan ??= library.Get(_unit, "aiter_plan", Unsafe.SizeOf<PlanArgs>());
        var args = new PlanArgs
        {
            SeqLens = seqLens, Addresses = table.Addresses, WorkOffsets = table.WorkOffsets, Items = table.Items, FirstGranules = table.FirstGranules,
            FirstPages = table.FirstPages, FirstSegments = table.FirstSegments, FirstParts = table.FirstParts, NumRows = table.NumRows, Workers = table.Workers,
            KvHeads = table.KvHeads, HeadsPerKvHead = shape.HeadsPerKvHead, PageTokens = shape.PageTokens, GranulePages = shape.GranulePages, QueryLen = shape.QueryLen,
        };
        lane.Launch(_plan, new HipDim3(1), PlanThreads, args);
    }

    /// <summary>Packs the block numbers of rows whose work is planned with blocks as pages.</summary>
    internal void Pack(HipContext lane, TensorView blockTable, in AiterWorkTable table, nint pages, int maxPages)
    {
        _pack ??= library.Get(_unit, "aiter_pack_blocks", Unsafe.SizeOf<PackArgs>());
        var args = new PackArgs { BlockTable = blockTable.Address, BlockTableStride = blockTable.Stride(0), FirstPages = table.FirstPages, Pages = pages };
        lane.Launch(_pack, new HipDim3((uint)((maxPages + PackThreads - 1) / PackThreads), (uint)table.NumRows), PackThreads, args);
    }

    /// <summary>Merges the partial results of rows that were cut, and copies the results of others where they lie apart.</summary>
    internal void Merge(HipContext lane, in Parts parts)
    {
        _merge ??= library.Get(_unit, "aiter_merge", Unsafe.SizeOf<Parts>());
        long results = (long)parts.NumRows * parts.QueryLen * parts.NumHeads;
        lane.Launch(_merge, new HipDim3((uint)((results + MergeWaves - 1) / MergeWaves)), MergeWaves * WaveLanes, parts);
    }

    /// <summary>What a plan goes by.</summary>
    /// <param name="HeadsPerKvHead">Query heads of a KV head.</param>
    /// <param name="PageTokens">Tokens of a page.</param>
    /// <param name="GranulePages">Contexts are cut at multiples of so many pages.</param>
    /// <param name="QueryLen">Query tokens of every row.</param>
    internal readonly record struct Shape(int HeadsPerKvHead, int PageTokens, int GranulePages, int QueryLen);

    /// <summary>Rows of a launch of <see cref="Merge"/>; AiterMergeArgs of the source, field by field. Strides in elements.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal record struct Parts
    {
        public nint CuSeqlens, FirstParts;

        /// <summary>See <see cref="AiterPersistentArguments"/>.</summary>
        public nint Partials, PartialLse;

        /// <summary>[rows, query tokens, padded heads, dim] of the rows that were not cut; 0: in the output.</summary>
        public nint Whole;
        public nint Output;
        public long OutputTokenStride, OutputHeadStride;
        public int NumRows, QueryLen, NumHeads, PaddedHeads, Dim, Unused;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct PlanArgs
    {
        public nint SeqLens, Addresses, WorkOffsets, Items, FirstGranules, FirstPages, FirstSegments, FirstParts;
        public int NumRows, Workers, KvHeads, HeadsPerKvHead, PageTokens, GranulePages, QueryLen, Unused;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct PackArgs
    {
        public nint BlockTable;
        public long BlockTableStride;
        public nint FirstPages, Pages;
    }
}
