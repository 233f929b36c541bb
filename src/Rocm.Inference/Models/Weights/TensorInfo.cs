using System.Globalization;

namespace Rocm.Inference.Models.Weights;

/// <summary>Where one tensor lies in a safetensors file.</summary>
/// <param name="Name">Name in the checkpoint.</param>
/// <param name="DTypeName">Element type as the file spells it.</param>
/// <param name="DType">The element type, or null for types of the format that no kernel reads (BOOL, F64, I8 …).</param>
/// <param name="Shape">Dimensions, outermost first; empty for a scalar.</param>
/// <param name="Offset">First byte, from the start of the file.</param>
/// <param name="ByteCount">Size in bytes.</param>
internal sealed record TensorInfo(string Name, string DTypeName, DType? DType, IReadOnlyList<long> Shape, long Offset, long ByteCount)
{
    /// <summary>Element type and shape as messages show them, for example <c>BF16 [64, 32]</c>.</summary>
    public string Description => $"{DTypeName} {ShapeText(Shape)}";

    public static string ShapeText(IEnumerable<long> shape) =>
        $"[{string.Join(", ", shape.Select(dim => dim.ToString(CultureInfo.InvariantCulture)))}]";
}
