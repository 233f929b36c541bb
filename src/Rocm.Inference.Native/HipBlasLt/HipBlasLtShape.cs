namespace Rocm.Inference.Native.HipBlasLt;

/// <summary>Sizes of a product y = x · wᵀ and the distances of rows, in elements.</summary>
/// <param name="Rows">Rows of x and y.</param>
/// <param name="Outputs">Rows of w, columns of y.</param>
/// <param name="Inputs">Columns of x and w.</param>
/// <param name="InputStride">From a row of x to the next.</param>
/// <param name="WeightStride">From a row of w to the next.</param>
/// <param name="OutputStride">From a row of y to the next.</param>
internal readonly record struct HipBlasLtShape(int Rows, int Outputs, int Inputs, long InputStride, long WeightStride, long OutputStride)
{
    /// <summary>Rows that lie one behind the other.</summary>
    internal static HipBlasLtShape Dense(int rows, int outputs, int inputs) => new(rows, outputs, inputs, inputs, inputs, outputs);
}
