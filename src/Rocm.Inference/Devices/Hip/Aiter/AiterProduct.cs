using Rocm.Inference.Native.Aiter;

namespace Rocm.Inference.Devices.Hip.Aiter;

/// <summary>AITER's kernels for weights of one shape, and the numbers of rows for which they are to be taken.</summary>
/// <param name="kernel">The kernels.</param>
/// <param name="choice">How to choose.</param>
internal sealed class AiterProduct(AiterScaledGemm kernel, AiterKernelChoice choice)
{
    /// <summary>
    /// By shape: up to here this library's kernel, which is bound by reading weights and has a group for 16 outputs, where AITER's have one for 128 and let compute
    /// units idle; beyond, both work on tiles of like size, AITER's at the matrix units' rate for 8 bits.
    /// </summary>
    public const int OwnRows = HipKernels.SkinnyUpTo;

    private KernelTimes? _times;

    public AiterScaledGemm Kernel => kernel;

    /// <summary>Times by rows, where they decide and were measured.</summary>
    public KernelTimes? Times
    {
        get => Volatile.Read(ref _times);
        set => Volatile.Write(ref _times, value);
    }

    /// <summary>AITER's kernels are to compute a product of so many rows, where they can. Allocates nothing.</summary>
    public bool Takes(long rows)
    {
        if (!kernel.CanLaunch(rows)) return false;
        return choice switch
        {
            AiterKernelChoice.Always => true,
            AiterKernelChoice.Measured when Times is { } times => times.Best((int)rows, length: 1) == KernelChoice.Aiter,
            _ => rows > OwnRows,
        };
    }

    /// <summary>AITER's kernels may compute some product of up to so many rows, whatever is measured yet.</summary>
    public bool MayTake(int maxRows) => choice != AiterKernelChoice.ByShape || maxRows > OwnRows;
}
