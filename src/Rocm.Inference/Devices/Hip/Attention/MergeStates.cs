using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Kernels;

namespace Rocm.Inference.Devices.Hip.Attention;

/// <summary>attention/merge_states.hip: merges two partial results by their LSE.</summary>
internal sealed partial class HipAttentionKernels
{
    private const int MergeThreads = 256;

    // Lanes of the narrowest wave: a head never needs more than one wave.
    private const int MaxMergeLanes = 32;
    private readonly HipFunction?[] _mergeStates = new HipFunction?[2];

    public void MergeStates(DeviceContext context, in MergeStatesArgs args)
    {
        TensorView output = args.Output;
        if (output.IsAbsent || output.Rank != 3) throw new ArgumentException($"Expected BF16[tokens, heads, head dim], found {output}.", nameof(args));
        long tokens = output.Dim(0), heads = output.Dim(1), dim = output.Dim(2);
        CheckHeads(output, tokens, heads, dim);
        CheckHeads(args.OutputA, tokens, heads, dim);
        CheckHeads(args.OutputB, tokens, heads, dim);
        CheckHeadRows(args.LseA, heads, tokens);
        CheckHeadRows(args.LseB, heads, tokens);
        CheckHeadRows(args.Lse, heads, tokens);
        bool isVector = IsVector(args.OutputA) && IsVector(args.OutputB) && IsVector(output);
        ref HipFunction? kernel = ref _mergeStates[isVector ? 1 : 0];
        kernel ??= Library.Get(
            new KernelUnit("attention/merge_states.hip", isVector ? $"{Activation} V=8" : $"{Activation} V=1"), "merge_states", Unsafe.SizeOf<MergeArgs>());
        int lanes = (int)Math.Min(MaxMergeLanes, BitOperations.RoundUpToPowerOf2((ulong)(isVector ? dim / 8 : dim)));
        var kernelArgs = new MergeArgs
        {
            OutputA = args.OutputA.Address,
            LseA = args.LseA.Address,
            OutputB = args.OutputB.Address,
            LseB = args.LseB.Address,
            Output = output.Address,
            Lse = args.Lse.Address,
            ATokenStride = args.OutputA.Stride(0),
            AHeadStride = args.OutputA.Stride(1),
            BTokenStride = args.OutputB.Stride(0),
            BHeadStride = args.OutputB.Stride(1),
            OutputTokenStride = output.Stride(0),
            OutputHeadStride = output.Stride(1),
            LseAStride = args.LseA.Stride(0),
            LseBStride = args.LseB.Stride(0),
            LseStride = args.Lse.Stride(0),
            NumTokens = (int)tokens,
            NumHeads = (int)heads,
            VDim = (int)dim,
            LanesLog2 = BitOperations.Log2((uint)lanes),
        };
        HipContext.Of(context).Launch(kernel, new HipDim3((uint)(((tokens * heads * lanes) + MergeThreads - 1) / MergeThreads)), MergeThreads, kernelArgs);
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct MergeArgs
    {
        public nint OutputA, LseA, OutputB, LseB, Output, Lse;
        public long ATokenStride, AHeadStride, BTokenStride, BHeadStride, OutputTokenStride, OutputHeadStride;
        public long LseAStride, LseBStride, LseStride;
        public int NumTokens, NumHeads, VDim, LanesLog2;
    }
}
