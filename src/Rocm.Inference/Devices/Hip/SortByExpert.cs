using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Kernels;

namespace Rocm.Inference.Devices.Hip;

/// <summary>moe/sort_by_expert.hip: counting sort of assignments by expert.</summary>
internal sealed partial class HipKernels
{
    private const int SortThreads = 512;

    // A counter of 4 bytes for each expert and wave: 16 waves of 32 lanes and 64 KiB of local memory, less what the prefix sums take.
    private const int MaxSortedExperts = 1000;
    private HipFunction? _sortByExpert;

    /// <inheritdoc/>
    /// <remarks>The experts are not seen by the host: assignments to one that does not exist are left out of the result.</remarks>
    public void SortByExpert(DeviceContext context, TensorView experts, TensorView offsets, TensorView order, TensorView places)
    {
        if (offsets.Count is < 2 or > MaxSortedExperts + 1)
            throw new ArgumentException($"Expected [experts + 1] i32 of at most {MaxSortedExperts} experts, found {offsets}.", nameof(offsets));
        int assignments = checked((int)experts.Count), numExperts = (int)offsets.Count - 1;
        var lane = HipContext.Of(context);
        _sortByExpert ??= library.Get(new KernelUnit("moe/sort_by_expert.hip", ""), "sort_by_expert", Unsafe.SizeOf<SortByExpertArgs>());
        var args = new SortByExpertArgs
        {
            Experts = HipOperand.Indices(experts, assignments),
            Offsets = HipOperand.Indices(offsets, numExperts + 1L),
            Order = HipOperand.Indices(order, assignments),
            Places = HipOperand.Indices(places, assignments),
            Count = assignments,
            NumExperts = numExperts,
        };
        lane.Launch(_sortByExpert, new HipDim3(1), SortThreads, args, SortThreads / lane.Gpu.WaveSize * numExperts * sizeof(int));
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct SortByExpertArgs
    {
        public nint Experts, Offsets, Order, Places;
        public int Count, NumExperts;
    }
}
