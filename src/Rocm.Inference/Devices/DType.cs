namespace Rocm.Inference;

/// <summary>Element type of a tensor in memory. Accumulation is fp32 everywhere.</summary>
public enum DType
{
    /// <summary>32-bit IEEE float.</summary>
    F32,

    /// <summary>16-bit IEEE float.</summary>
    F16,

    /// <summary>bfloat16: the upper half of a 32-bit float.</summary>
    BF16,

    /// <summary>8-bit float, 4 exponent and 3 mantissa bits, finite, bias 7 (OCP "fn").</summary>
    F8E4M3Fn,

    /// <summary>8-bit float, 4 exponent and 3 mantissa bits, bias 8, one zero (gfx94x "fnuz"): the same byte means half the fn value.</summary>
    F8E4M3Fnuz,

    /// <summary>8-bit float, 5 exponent and 2 mantissa bits.</summary>
    F8E5M2,

    /// <summary>32-bit signed integer.</summary>
    I32,

    /// <summary>64-bit signed integer.</summary>
    I64,

    /// <summary>Unsigned byte.</summary>
    U8,

    /// <summary>4-bit float, 2 exponent and 1 mantissa bit (MXFP4): two elements a byte, the first in the low half. Weights only.</summary>
    F4E2M1,
}

/// <summary>Facts about element types.</summary>
public static class DTypeExtensions
{
    /// <summary>Bytes of one element.</summary>
    /// <param name="dtype">The element type; not <see cref="DType.F4E2M1"/>, whose elements share bytes.</param>
    public static int ByteSize(this DType dtype) => dtype switch
    {
        DType.F32 or DType.I32 => 4,
        DType.F16 or DType.BF16 => 2,
        DType.I64 => 8,
        DType.F8E4M3Fn or DType.F8E4M3Fnuz or DType.F8E5M2 or DType.U8 => 1,
        DType.F4E2M1 => throw new ArgumentOutOfRangeException(nameof(dtype), dtype, "Two elements share a byte."),
        _ => throw new ArgumentOutOfRangeException(nameof(dtype), dtype, "Unknown element type."),
    };

    /// <summary>True for the 8-bit floats.</summary>
    /// <param name="dtype">The element type.</param>
    public static bool IsFloat8(this DType dtype) => dtype is DType.F8E4M3Fn or DType.F8E4M3Fnuz or DType.F8E5M2;
}
