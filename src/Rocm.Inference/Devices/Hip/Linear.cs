using System.Runtime.CompilerServices;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Kernels;

namespace Rocm.Inference.Devices.Hip;

/// <summary>
/// dense/linear_skinny.hip and dense/linear_tiled.hip: the first is bound by memory, the second by the matrix units. Both add in the same order, so
/// that the choice between them shows in the time only.
/// </summary>
internal sealed partial class HipKernels
{
    private const int SkinnyRows = 16;
    private const int SkinnyOutputs = 16;
    private const int SkinnyWaves = 4;
    private const int TiledRows = 128;
    private const int TiledThreads = 256;

    // Up to here reading the weights from the second-level cache once for 16 rows costs less than what a tile of 128 rows leaves idle.
    internal const int SkinnyUpTo = 64;
    private const int SkinnyUpToPerExpert = 32;

    private readonly KernelSet<LinearInstance> _linearSkinny = LinearKernels(library, "linear_skinny");
    private readonly KernelSet<LinearInstance> _linearTiled = LinearKernels(library, "linear_tiled");

    public void Linear(DeviceContext context, TensorView x, PackedWeight weight, TensorView y, bool accumulate = false)
    {
        HipPackedWeight packed = HipPackedWeight.Of(weight);
        HipOperand input = HipOperand.Of(x).Expect(DType.BF16), output = HipOperand.Of(y);
        input.Expect(output.Rows, weight.InputFeatures);
        output.Expect(input.Rows, weight.OutputFeatures);
        HipContext lane = HipContext.Of(context);
        if (TryAiter(lane, input, packed, y, output, accumulate)) return;
        LinearArgs args = LinearArgs.Of(packed.Layout, packed.Address);
        args.X = input.Address;
        args.XRowStride = input.Stride;
        args.Y = output.Address;
        args.YRowStride = output.Stride;
        args.NumRows = checked((int)input.Rows);
        args.Accumulate = accumulate ? 1 : 0;
        args.IsF32 = output.DType == DType.F32 ? 1 : 0;
        bool isSkinny = args.NumRows <= SkinnyUpTo;
        LinearLaunch own = LaunchOf(lane, packed.Layout, isSkinny, Blocks(args.NumRows, isSkinny), heads: 1, args);
        if (accumulate || blas is null || !blas.TryRun(lane, input, packed, output, own, args)) own.Enqueue(lane, args);
    }

    private static KernelSet<LinearInstance> LinearKernels(KernelLibrary library, string kernel) => new(
        library, $"dense/{kernel}.hip", kernel, Unsafe.SizeOf<LinearArgs>(), static instance => $"{Activation} WEIGHT={(int)instance.Format}{(instance.IsShuffled ? "Shuffled" : "")}");

    private static int Blocks(int rows, bool isSkinny) => isSkinny ? (rows + SkinnyRows - 1) / SkinnyRows : (rows + TiledRows - 1) / TiledRows;

    private void Launch(DeviceContext context, in HipWeightLayout layout, bool isSkinny, int rowBlocks, int heads, in LinearArgs args)
    {
        HipContext lane = HipContext.Of(context);
        LaunchOf(lane, layout, isSkinny, rowBlocks, heads, args).Enqueue(lane, args);
    }

    private LinearLaunch LaunchOf(HipContext lane, in HipWeightLayout layout, bool isSkinny, int rowBlocks, int heads, in LinearArgs args)
    {
        int wave = lane.Gpu.WaveSize;

        // RDNA's registers hold the sums of half as many outputs.
        int outputs = isSkinny ? SkinnyOutputs : wave == 64 ? 128 : 64;
        var grid = new HipDim3((uint)((args.N + outputs - 1) / outputs), (uint)rowBlocks, (uint)heads);
        HipFunction kernel = (isSkinny ? _linearSkinny : _linearTiled)[new LinearInstance(layout.Format, layout.IsShuffled)];
        return new LinearLaunch(kernel, grid, isSkinny ? SkinnyWaves * wave : TiledThreads);
    }

    private readonly record struct LinearInstance(HipWeightFormat Format, bool IsShuffled);
}
