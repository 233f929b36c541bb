using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Kernels;

namespace Rocm.Inference.Devices.Hip.Attention;

/// <summary>attention/rope_store_kv.hip: rotates q and k in place and writes K and V to their slots.</summary>
internal sealed partial class HipAttentionKernels
{
    private const int RopeThreads = 256;
    private readonly KernelSet<CacheInstance> _ropeStoreKv =
        new(gpu.Library, "attention/rope_store_kv.hip", "rope_store_kv", Unsafe.SizeOf<RopeArgs>(), static instance => instance.Macros);

    public void RopeStoreKv(DeviceContext context, in RopeStoreKvArgs args)
    {
        bool latent = args.Cache.Layout == KvLayoutKind.MlaLatent;
        KvTensorArgs keys = KvTensorArgs.Key(args.Cache), values = latent ? default : KvTensorArgs.Value(args.Cache);
        if (args.Value.IsAbsent || args.Value.Rank != 3) throw new ArgumentException($"Expected BF16[tokens, KV heads, head dim], found {args.Value}.", nameof(args));
        long tokens = args.Value.Dim(0);
        int heads = KvTensorArgs.NumHeads(args.Cache), valueDim = latent ? (int)args.Value.Dim(2) : KvTensorArgs.ValueDim(args.Cache);
        int dim = KvTensorArgs.KeyDim(args.Cache) - (latent ? valueDim : 0);
        if (dim < 0) throw new ArgumentException($"{args.Value} does not fit rows of {KvTensorArgs.KeyDim(args.Cache)}.", nameof(args));
        CheckHeads(args.Value, tokens, heads, valueDim);
        bool hasKeys = dim > 0;
        TensorView query = hasKeys ? args.Query : default, key = hasKeys ? args.Key : default;
        int queryHeads = !hasKeys || query.IsAbsent || query.Rank != 3 ? 1 : (int)query.Dim(1);
        if (hasKeys)
        {
            CheckHeads(query, tokens, queryHeads, dim);
            CheckHeads(key, tokens, heads, dim);
        }

        int rotaryDim = args.Rope?.RotaryDim ?? 0;
        if (rotaryDim > dim || (rotaryDim & 1) != 0) throw new ArgumentException($"A rotary dimension of {rotaryDim} does not fit heads of {dim}.", nameof(args));

        bool isVector = IsVector(query) && IsVector(key) && IsVector(args.Value) && (rotaryDim & 15) == 0 && keys.IsVector
            && (latent || KvTensorArgs.IsByDims(args.Cache.Layout) || values.IsVector);
        int step = isVector ? 8 : 1;
        var kernelArgs = new RopeArgs
        {
            Query = hasKeys ? query.Address : 0,
            Key = hasKeys ? key.Address : 0,
            Value = args.Value.Address,
            CosSin = args.Rope?.CosSin.Address ?? 0,
            Positions = Indices(args.Positions, tokens),
            Slots = Indices(args.SlotMapping, tokens, DType.I64),
            KeyCache = keys,
            ValueCache = values,
            QueryTokenStride = hasKeys ? query.Stride(0) : 0,
            QueryHeadStride = hasKeys ? query.Stride(1) : 0,
            KeyTokenStride = hasKeys ? key.Stride(0) : 0,
            KeyHeadStride = hasKeys ? key.Stride(1) : 0,
            ValueTokenStride = args.Value.Stride(0),
            ValueHeadStride = args.Value.Stride(1),
            NumSlots = args.Cache.Key.Dim(0) * args.Cache.BlockSize,
            NumQueryHeads = hasKeys ? queryHeads : 0,
            NumKvHeads = heads,
            Dim = dim,
            ValueDim = valueDim,
            RotaryDim = rotaryDim,
            IsInterleaved = args.Rope is { Interleaved: true } ? 1 : 0,
            BlockSize = args.Cache.BlockSize,
            ValuesByDims = KvTensorArgs.IsByDims(args.Cache.Layout) ? 1 : 0,
            RoundsInputs = args.RoundsInputs ? 1 : 0,
            NumPositions = args.Rope?.Positions ?? 0,
        };
        long units = (((long)kernelArgs.NumQueryHeads + heads) * ((dim / step) - (rotaryDim / 2 / step))) + ((long)heads * (valueDim / step));
        HipFunction kernel = _ropeStoreKv[new CacheInstance(KvTensorArgs.CacheType(args.Cache), isVector)];
        HipContext.Of(context).Launch(kernel, new HipDim3((uint)tokens, (uint)((units + RopeThreads - 1) / RopeThreads)), RopeThreads, kernelArgs);
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct RopeArgs
    {
        public nint Query, Key, Value, CosSin, Positions, Slots;
        public KvTensorArgs KeyCache, ValueCache;
        public long QueryTokenStride, QueryHeadStride, KeyTokenStride, KeyHeadStride, ValueTokenStride, ValueHeadStride, NumSlots;
        public int NumQueryHeads, NumKvHeads, Dim, ValueDim, RotaryDim, IsInterleaved;
        public int BlockSize, ValuesByDims, RoundsInputs, NumPositions;
    }
}
