using System.Runtime.CompilerServices;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Kernels;

namespace Rocm.Inference.Devices.Hip.Attention;

/// <summary>attention/flash_varlen_packed.hip: attention over contiguous rows, whose keys the waves of a group share in local memory.</summary>
internal sealed partial class HipAttentionKernels
{
    private const int PackedWaves = 4;

    private readonly KernelSet<FlashInstance> _flashVarlenPacked =
        new(gpu.Library, "attention/flash_varlen_packed.hip", "flash_varlen_packed", Unsafe.SizeOf<FlashArgs>(), static instance => instance.Macros);

    public void FlashVarlenPacked(DeviceContext context, in FlashVarlenArgs args)
    {
        FlashArgs kernelArgs = DescribeFlash(args);
        long tokens = Math.Min(args.Query.Dim(0), (long)args.NumRows * args.MaxQueryLen);
        if (tokens == 0) return;
        int dim = kernelArgs.Query.HeadDim, slice = Math.Min(MaxValueSlice, (kernelArgs.ValueDim + TileColumns - 1) / TileColumns * TileColumns);
        var instance = new FlashInstance(dim, dim - kernelArgs.Query.Dim, slice);
        long groups = (tokens * kernelArgs.Query.GqaRatio / (TileColumns * PackedWaves)) + args.NumRows;
        var grid = new HipDim3(checked((uint)groups), (uint)args.Key.Dim(1), (uint)((kernelArgs.ValueDim + slice - 1) / slice));
        HipContext.Of(context).Launch(_flashVarlenPacked[instance], grid, PackedWaves * gpu.WaveSize, kernelArgs);
    }
}
