using Rocm.Inference.TestKit;

namespace Rocm.Inference.Conformance.Attention.Backends;

/// <summary>What a cache makes of a value. The 8-bit floats go through a table of all their values, made by the oracle.</summary>
internal sealed class StoredElements
{
    private readonly DType _dtype;
    private readonly double[] _values = [];

    public StoredElements(DType dtype)
    {
        _dtype = dtype;
        if (dtype.IsFloat8()) _values = [.. Enumerable.Range(0, 128).Select(b => OracleNumbers.Decode(dtype, (uint)b)).Where(double.IsFinite)];
    }

    public double Round(float value)
    {
        if (!_dtype.IsFloat8()) return OracleNumbers.Decode(_dtype, OracleNumbers.Encode(_dtype, value));
        double magnitude = Math.Abs((double)value);
        int above = Array.BinarySearch(_values, magnitude);
        if (above >= 0) return value;
        above = ~above;
        if (above == _values.Length) return Math.CopySign(_values[^1], value);
        double toBelow = magnitude - _values[above - 1], toAbove = _values[above] - magnitude;

        // Ties go to the even byte.
        bool up = toAbove < toBelow || (toAbove == toBelow && above % 2 == 0);
        return Math.CopySign(_values[up ? above : above - 1], value);
    }
}
