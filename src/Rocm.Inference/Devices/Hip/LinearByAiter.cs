using Rocm.Inference.Devices.Hip.Aiter;
using Rocm.Inference.Native.Aiter;

namespace Rocm.Inference.Devices.Hip;

/// <summary>
/// Products with fp8 weights by AITER's kernels, which take rows in 8 bits too: they are rounded before (dense/quantize_rows.hip). What is to be added is added after.
/// Results are cut off to bf16, and rows have other bits than by this library's kernels.
/// </summary>
internal sealed partial class HipKernels
{
    private const nint AiterAlignmentMask = 15;

    private long _numAiterProducts;

    /// <summary>Products that were given to AITER's kernels so far; a recorded one counts once.</summary>
    internal long NumAiterProducts => Volatile.Read(ref _numAiterProducts);

    /// <summary>Enqueues the product, if AITER's kernel is to compute it and can: into bf16, from aligned rows, with room in the arena.</summary>
    private bool TryAiter(HipContext lane, in HipOperand input, HipPackedWeight weight, TensorView y, in HipOperand output, bool accumulate)
    {
        if (weight.Aiter is not { } product || !product.Takes(input.Rows) || output.DType != DType.BF16 || !CanQuantize(input)) return false;
        bool isDense = (output.Rows == 1 || output.Stride == weight.OutputFeatures) && (output.Address & AiterAlignmentMask) == 0;
        if (!isDense && !accumulate) return false;
        long mark = lane.Mark();
        if (lane.ArenaBytes - mark < AiterLinear.ScratchBytes(input.Rows, weight.OutputFeatures, weight.InputFeatures)) return false;

        TensorView elements = lane.Scratch(DType.U8, input.Rows, weight.InputFeatures);
        TensorView scales = lane.Scratch(DType.F32, weight.InputFeatures / QuantizedColumns, input.Rows);
        TensorView result = accumulate ? lane.Scratch(DType.BF16, input.Rows, weight.OutputFeatures) : y;
        QuantizeRows(lane, input, elements.Address, scales.Address);
        product.Kernel.Launch(lane.Stream, new AiterScaledGemmArguments
        {
            Output = result.Address,
            Input = elements.Address,
            Weight = weight.Address,
            InputScales = scales.Address,
            WeightScales = weight.Address + (nint)weight.Layout.ScalesOffset,
            Bias = weight.Address + (nint)weight.Layout.BiasOffset,
            Rows = (int)input.Rows,
        });
        if (accumulate) Add(lane, result, y);
        lane.Release(mark);
        Interlocked.Increment(ref _numAiterProducts);
        return true;
    }
}
