namespace Rocm.Inference.Native.Aiter;

/// <summary>One product: addresses in device memory, aligned to 16 bytes. Rows of input and output are dense.</summary>
internal readonly record struct AiterScaledGemmArguments
{
    /// <summary>bf16 [rows, outputs].</summary>
    public required nint Output { get; init; }

    /// <summary>fp8 [rows, inputs].</summary>
    public required nint Input { get; init; }

    /// <summary>fp8, see <see cref="AiterScaledWeight"/>.</summary>
    public required nint Weight { get; init; }

    /// <summary>float [inputs / 128, rows]: input · scale is what a row has in a group of 128 inputs.</summary>
    public required nint InputScales { get; init; }

    /// <summary>float [outputs / 128, inputs / 128].</summary>
    public required nint WeightScales { get; init; }

    /// <summary>float [outputs], zeros where there is no bias: it is always read.</summary>
    public required nint Bias { get; init; }

    public required int Rows { get; init; }
}
