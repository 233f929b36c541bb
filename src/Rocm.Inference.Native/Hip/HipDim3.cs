namespace Rocm.Inference.Native.Hip;

/// <summary>Extent of a grid in blocks, or of a block in threads.</summary>
internal readonly record struct HipDim3(uint X, uint Y = 1, uint Z = 1)
{
    internal ulong Volume => (ulong)X * Y * Z;

    public override string ToString() => $"{X}x{Y}x{Z}";
}
