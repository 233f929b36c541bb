using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Kernels;

namespace Rocm.Inference.Devices.Hip.Attention;

/// <summary>attention/flash_varlen.hip: attention over contiguous rows, each wave for itself.</summary>
internal sealed partial class HipAttentionKernels
{
    private const int FlashWaves = 4;

    // Query columns of a wave: the width of a matrix product's tile.
    private const int TileColumns = 16;

    // Dims of V that are a multiple of what lanes load together.
    private const int ValueSlab = 64;

    private readonly KernelSet<FlashInstance> _flashVarlen =
        new(gpu.Library, "attention/flash_varlen.hip", "flash_varlen", Unsafe.SizeOf<FlashArgs>(), static instance => instance.Macros);

    /// <summary>Kernels of <see cref="FlashVarlen"/>.</summary>
    internal HipFunction FlashVarlenKernel(int dim, int ropeDim, int valueDim) => _flashVarlen[FlashInstanceOf(dim, ropeDim, valueDim)];

    // A slice of V has the dims whose sums a wave's registers hold.
    private int MaxValueSlice => gpu.WaveSize == 64 ? 256 : 128;

    public void FlashVarlen(DeviceContext context, in FlashVarlenArgs args)
    {
        FlashArgs kernelArgs = DescribeFlash(args);
        long tokens = Math.Min(args.Query.Dim(0), (long)args.NumRows * args.MaxQueryLen);
        if (tokens == 0) return;
        FlashInstance instance = FlashInstanceOf(kernelArgs.Query.HeadDim, kernelArgs.Query.HeadDim - kernelArgs.Query.Dim, kernelArgs.ValueDim);
        long tiles = (tokens * kernelArgs.Query.GqaRatio / TileColumns) + args.NumRows;
        var grid = new HipDim3(
            checked((uint)((tiles + FlashWaves - 1) / FlashWaves)), (uint)args.Key.Dim(1), (uint)((kernelArgs.ValueDim + instance.ValueDim - 1) / instance.ValueDim));
        HipContext.Of(context).Launch(_flashVarlen[instance], grid, FlashWaves * gpu.WaveSize, kernelArgs);
    }

    /// <summary>Both flash kernels keep everything in registers and local memory.</summary>
    public long FlashVarlenScratchBytes(AttentionSpec spec, in BatchLimits limits, int maxNumKeys) => 0;

    private FlashInstance FlashInstanceOf(int dim, int ropeDim, int valueDim) =>
        new(dim, ropeDim, Math.Min(MaxValueSlice, (valueDim + ValueSlab - 1) / ValueSlab * ValueSlab));

    private static FlashArgs DescribeFlash(in FlashVarlenArgs args)
    {
        if (args.Query.IsAbsent || args.Query.Rank != 3) throw new ArgumentException($"Expected BF16[tokens, heads, head dim], found {args.Query}.", nameof(args));
        if (args.Value.IsAbsent || args.Value.Rank != 3) throw new ArgumentException($"Expected BF16[keys, KV heads, head dim], found {args.Value}.", nameof(args));
        long tokens = args.Query.Dim(0), queryHeads = args.Query.Dim(1), dim = args.Query.Dim(2);
        long keys = args.Value.Dim(0), kvHeads = args.Value.Dim(1), valueDim = args.Value.Dim(2);
        CheckHeads(args.Query, tokens, queryHeads, dim);
        CheckHeads(args.Key, keys, kvHeads, dim);
        CheckHeads(args.Value, keys, kvHeads, valueDim);
        CheckHeads(args.Output, tokens, queryHeads, valueDim);
        if (args.QueryRope.IsAbsent != args.KeyRope.IsAbsent)
            throw new ArgumentException($"Queries and keys have a rotary part, or neither; found {args.QueryRope} and {args.KeyRope}.", nameof(args));
        if (!args.QueryRope.IsAbsent)
        {
            CheckHeads(args.QueryRope, tokens, queryHeads, args.QueryRope.Dim(2));
            CheckHeads(args.KeyRope, keys, 1, args.QueryRope.Dim(2));
        }

        if (kvHeads == 0 || queryHeads % kvHeads != 0) throw new ArgumentException($"{queryHeads} query heads cannot share {kvHeads} KV heads.", nameof(args));
        if (!args.Lse.IsAbsent) CheckHeadRows(args.Lse, queryHeads, tokens);
        long headDim = dim + (args.QueryRope.IsAbsent ? 0 : args.QueryRope.Dim(2));
        if (!IsVector(args.Query) || !IsVector(args.QueryRope) || !IsVector(args.Key) || !IsVector(args.KeyRope) || !IsVector(args.Value) || headDim > 256)
        {
            throw new NotSupportedException(
                $"The flash kernels of a HIP device read heads of up to 256 dims in multiples of 8 dims at multiples of 16 bytes; found {args.Query}, {args.QueryRope}, {args.Key}, {args.KeyRope} and {args.Value}.");
        }

        AttentionSpec spec = args.Spec;
        return new FlashArgs
        {
            Query = QueryArgs.Of(args.Query, args.QueryRope, args.NumRows == 0 ? 0 : Indices(args.CuSeqlensQ, args.NumRows + 1L), args.NumRows, (int)(queryHeads / kvHeads)),
            Key = args.Key.Address,
            KeyRope = args.KeyRope.IsAbsent ? 0 : args.KeyRope.Address,
            Value = args.Value.Address,
            KeyTokenStride = args.Key.Stride(0),
            KeyHeadStride = args.Key.Stride(1),
            KeyRopeStride = args.KeyRope.IsAbsent ? 0 : args.KeyRope.Stride(0),
            ValueTokenStride = args.Value.Stride(0),
            ValueHeadStride = args.Value.Stride(1),
            CuSeqlensK = args.NumRows == 0 ? 0 : Indices(args.CuSeqlensK, args.NumRows + 1L),
            QueryPositions = args.QueryPositions.IsAbsent ? 0 : Indices(args.QueryPositions, args.NumRows),
            KeyPositions = args.KeyPositions.IsAbsent ? 0 : Indices(args.KeyPositions, args.NumRows),
            Sinks = args.Sinks.IsAbsent ? 0 : args.Sinks.Address,
            Slopes = args.AlibiSlopes.IsAbsent ? 0 : args.AlibiSlopes.Address,
            Output = args.Output.Address,
            OutputTokenStride = args.Output.Stride(0),
            OutputHeadStride = args.Output.Stride(1),
            Lse = args.Lse.IsAbsent ? 0 : args.Lse.Address,
            LseHeadStride = args.Lse.IsAbsent ? 0 : args.Lse.Stride(0),
            Scale = spec.SoftmaxScale,
            SoftCap = spec.LogitsSoftCap,
            Window = spec.SlidingWindow ?? int.MaxValue,
            ValueDim = (int)valueDim,
            Causal = args.Causal ? 1 : 0,
        };
    }

    /// <summary>What tells flash kernels apart.</summary>
    /// <param name="Dim">Dims of K with its rotary part.</param>
    /// <param name="RopeDim">Of these, dims that are a tensor of their own.</param>
    /// <param name="ValueDim">Dims of a slice of V, rounded up.</param>
    private readonly record struct FlashInstance(int Dim, int RopeDim, int ValueDim)
    {
        public string Macros => string.Create(CultureInfo.InvariantCulture, $"{Activation} DIM={Dim} ROPE={RopeDim} VDIM={ValueDim}");
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct FlashArgs
    {
        public QueryArgs Query;
        public nint Key, KeyRope, Value;
        public long KeyTokenStride, KeyHeadStride, KeyRopeStride, ValueTokenStride, ValueHeadStride;
        public nint CuSeqlensK, QueryPositions, KeyPositions, Sinks, Slopes, Output;
        public long OutputTokenStride, OutputHeadStride;
        public nint Lse;
        public long LseHeadStride;
        public float Scale, SoftCap;
        public int Window, ValueDim, Causal, Unused;
    }
}
