using System.Diagnostics.CodeAnalysis;

namespace Rocm.Inference.Native.Aiter;

/// <summary>The alignment that all of AITER's kernels want of addresses and strides.</summary>
internal static class AiterAlignment
{
    internal const int Bytes = 16;

    /// <summary>Throws unless all of the values that were or-ed together are multiples.</summary>
    internal static void Check(nint values, string what)
    {
        if ((values & (Bytes - 1)) != 0) Throw(what);
    }

    [DoesNotReturn]
    private static void Throw(string what) => throw new ArgumentException($"{what} is not aligned to {Bytes} bytes.");
}
