using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Kernels;

namespace Rocm.Inference.Devices.Hip.Attention;

/// <summary>attention/gather_kv.hip: copies stretches of cached context into contiguous rows.</summary>
internal sealed partial class HipAttentionKernels
{
    private const int GatherThreads = 256;
    private const int GatherTokens = 16;
    private readonly KernelSet<CacheInstance> _gatherKv =
        new(gpu.Library, "attention/gather_kv.hip", "gather_kv", Unsafe.SizeOf<GatherArgs>(), static instance => instance.Macros);

    public void GatherKv(DeviceContext context, in GatherKvArgs args)
    {
        bool latent = args.Cache.Layout == KvLayoutKind.MlaLatent;
        KvTensorArgs key = KvTensorArgs.Key(args.Cache), value = latent ? default : KvTensorArgs.Value(args.Cache);
        int heads = KvTensorArgs.NumHeads(args.Cache), dim = KvTensorArgs.KeyDim(args.Cache), valueDim = KvTensorArgs.ValueDim(args.Cache);
        if (args.NumRows == 0) return;
        if (args.BlockTable.IsAbsent || args.BlockTable.DType != DType.I32 || args.BlockTable.Rank != 2 || args.BlockTable.Dim(0) < args.NumRows)
            throw new ArgumentException($"Expected a block table of {args.NumRows} rows of i32, found {args.BlockTable}.", nameof(args));
        CheckHeads(args.Key, 0, heads, dim);
        if (!latent) CheckHeads(args.Value, args.Key.Dim(0), heads, valueDim);
        bool isVector = key.IsVector && IsVector(args.Key) && (latent || (IsVector(args.Value) && (KvTensorArgs.IsByDims(args.Cache.Layout) || value.IsVector)));
        var kernelArgs = new GatherArgs
        {
            KeyCache = key,
            ValueCache = value,
            BlockTable = args.BlockTable.Address,
            BlockTableStride = args.BlockTable.Stride(0),
            CuSeqlensK = Indices(args.CuSeqlensK, args.NumRows + 1L),
            KeyPositions = Indices(args.KeyPositions, args.NumRows),
            Key = args.Key.Address,
            Value = latent ? 0 : args.Value.Address,
            KeyTokenStride = args.Key.Stride(0),
            KeyHeadStride = args.Key.Stride(1),
            ValueTokenStride = latent ? 0 : args.Value.Stride(0),
            ValueHeadStride = latent ? 0 : args.Value.Stride(1),
            NumRows = args.NumRows,
            Dim = dim,
            ValueDim = valueDim,
            BlockSize = args.Cache.BlockSize,
            ValuesByDims = KvTensorArgs.IsByDims(args.Cache.Layout) ? 1 : 0,
        };
        HipFunction kernel = _gatherKv[new CacheInstance(KvTensorArgs.CacheType(args.Cache), isVector)];
        HipContext.Of(context).Launch(kernel, new HipDim3((uint)((args.Key.Dim(0) + GatherTokens - 1) / GatherTokens), (uint)heads), GatherThreads, kernelArgs);
    }

    /// <summary>What tells apart kernels that copy to or from a cache: its type, and whether rows go in vectors of 8 elements.</summary>
    private readonly record struct CacheInstance(int CacheType, bool IsVector)
    {
        public string Macros => string.Create(CultureInfo.InvariantCulture, $"{Activation} CACHE={CacheType} V={(IsVector ? 8 : 1)}");
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct GatherArgs
    {
        public KvTensorArgs KeyCache, ValueCache;
        public nint BlockTable;
        public long BlockTableStride;
        public nint CuSeqlensK, KeyPositions, Key, Value;
        public long KeyTokenStride, KeyHeadStride, ValueTokenStride, ValueHeadStride;
        public int NumRows, Dim, ValueDim, BlockSize, ValuesByDims, Unused;
    }
}
